#include "tools/inspect/induction.h"

#include <nlohmann/json.hpp>

#include "engine/autograd/autograd.h"
#include "engine/io/atomic_file.h"
#include "engine/io/checkpoint.h"
#include "engine/ops.h"
#include "engine/optim.h"
#include "models/language/gpt.h"

namespace strata::inspect {
namespace {

constexpr int64_t letters = 26;                // tokens 0 to 25 are a to z
constexpr int64_t shortest = 4, longest = 12;  // periods

// Letters [batch, context + 1] that repeat after `period`.
Tensor sequences(int64_t batch, int64_t period, int64_t context, Generator& generator) {
  Tensor once = randint(0, letters, {batch, period}, DType::i64, &generator);
  return repeat(once, {1, context / period + 2}).slice(1, 0, context + 1).contiguous();
}

// Logits and letters of the part that can be known, [batch (context - period), ...].
std::pair<Tensor, Tensor> known_part(Gpt& model, const Tensor& all, int64_t period) {
  int64_t context = all.size(1) - 1;
  Tensor logits = model(all.slice(1, 0, context).contiguous());
  return {logits.slice(1, period, context).contiguous(),
          all.slice(1, period + 1, context + 1).contiguous()};
}

Induction measure(Gpt& model, int64_t context, Generator& generator) {
  NoGrad off;
  constexpr int64_t period = 8;
  auto [logits, labels] = known_part(model, sequences(256, period, context, generator), period);
  Tensor right = equal(argmax(logits, -1), labels).to(DType::f64);
  return {cross_entropy(logits, labels).item(), mean(right).item()};
}

void save(const std::filesystem::path& folder, Gpt& model, const InductionOptions& o,
          const Induction& result) {
  io::TrainingState state;
  state.model = &model;
  io::save_checkpoint((folder / "checkpoint.safetensors").string(), state);
  nlohmann::ordered_json config = {
      {"format", "strata-induction 1"},
      {"seed", o.seed},
      {"model",
       {{"name", "gpt"},
        {"options",
         {{"vocabulary", letters},
          {"context", o.context},
          {"width", o.width},
          {"heads", o.heads},
          {"layers", o.layers},
          {"dropout", 0.0}}}}},
      {"text", {{"first_byte", 'a'}}},
      {"training", {{"steps", o.steps}, {"batch", o.batch}, {"learning_rate", o.learning_rate}}},
      {"result", {{"loss", result.loss}, {"accuracy", result.accuracy}}}};
  io::write_file((folder / "config.json").string(), config.dump(2) + "\n");
}

}  // namespace

Induction train_induction(const std::filesystem::path& folder, const InductionOptions& o) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error)
    fail("induction", Caller{}, "cannot make the folder {}: {}", folder.string(), error.message());
  manual_seed(o.seed);
  Gpt model({.vocabulary = letters,
             .context = o.context,
             .width = o.width,
             .heads = o.heads,
             .layers = o.layers});
  AdamW optimizer(model.named_parameters(),
                  {.learning_rate = o.learning_rate, .weight_decay = 0.01});
  Generator generator(o.seed);
  for (int64_t step = 0; step < o.steps; ++step) {
    int64_t period =
        randint(shortest, longest + 1, {1}, DType::i64, &generator).to_vector<int64_t>()[0];
    auto [logits, labels] =
        known_part(model, sequences(o.batch, period, o.context, generator), period);
    Tensor loss = cross_entropy(logits, labels);
    optimizer.zero_grad();
    backward(loss);
    optimizer.step();
    if (o.progress && step % 50 == 0) o.progress(step, loss.item());
  }
  model.eval();
  Induction result = measure(model, o.context, generator);
  save(folder, model, o, result);
  return result;
}

}  // namespace strata::inspect
