#include "models/language/sampling.h"

#include <optional>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"

namespace strata {
namespace {

void check(const Tensor& logits, const SamplingOptions& o, Caller at) {
  if (!logits.defined() || logits.rank() == 0 || logits.size(-1) == 0) {
    fail("sample", at, "takes logits [..., V] with V at least 1; got {}",
         logits.defined() ? describe(logits) : "none");
  }
  if (!(o.temperature >= 0)) {
    fail("sample", at, "the temperature must be at least 0; got {}", o.temperature);
  }
  if (o.top_k < 0) fail("sample", at, "top_k must be at least 0 (0: all); got {}", o.top_k);
  if (!(o.top_p > 0 && o.top_p <= 1)) {
    fail("sample", at, "top_p must be in (0, 1]; got {}", o.top_p);
  }
}

// Restores whether a model trains.
struct Evaluating {
  Model& model;
  bool before = model.training();
  explicit Evaluating(Model& model) : model(model) { model.eval(); }
  ~Evaluating() { model.train(before); }
};

// What a model predicts after each token of a growing text.
class Reader {
 public:
  Reader(Gpt& model, bool cached) : model_(model), cached_(cached), cache_(model.cache()) {}

  // Logits [N, V] after all [N, T], of which the last `fresh` were not read before.
  Tensor next(const Tensor& all, int64_t fresh) {
    const int64_t context = model_.options().context, end = all.size(1);
    bool moved = end == fresh;  // the prompt
    if (end - first_ > context) {
      first_ = end - std::max<int64_t>(1, context / 2);
      moved = true;
    }
    if (!cached_) return model_(all.slice(1, first_, end)).select(1, -1);
    if (moved) cache_ = model_.cache();
    return model_.next(all.slice(1, moved ? first_ : end - fresh, end), cache_);
  }

 private:
  Gpt& model_;
  bool cached_;
  GptCache cache_;
  int64_t first_ = 0;  // where the window begins
};

}  // namespace

Tensor sampling_probabilities(const Tensor& logits, const SamplingOptions& o, Caller at) {
  check(logits, o, at);
  NoGrad off;
  const int64_t count = logits.size(-1);
  if (o.temperature == 0) return one_hot(argmax(logits, -1), count, logits.dtype());
  // The largest is taken off first, so that a small temperature makes no infinity.
  const Tensor scaled = (logits - max(logits, {-1}, true)) / o.temperature;
  const int64_t kept = o.top_k == 0 ? count : std::min(o.top_k, count);
  if (kept == count && o.top_p == 1) return softmax(scaled);
  auto [best, places] = topk(scaled, kept);  // from the likeliest on
  Tensor shares = softmax(best);
  const Tensor before = cumsum(shares, -1) - shares;
  // The likeliest has nothing before it, so one token always stays.
  shares = where(less(before, scalar(o.top_p, shares.dtype()).to(shares.device())), shares,
                 zeros_like(shares));
  shares = shares / sum(shares, {-1}, true);
  return scatter(zeros_like(scaled), -1, places, shares);
}

Tensor sample(const Tensor& logits, const SamplingOptions& o, Generator* generator, Caller at) {
  check(logits, o, at);
  NoGrad off;
  if (o.temperature == 0) return argmax(logits, -1);
  return multinomial(sampling_probabilities(logits, o, at), generator, at);
}

Tensor generate(Gpt& model, const Tensor& index, const GenerateOptions& o, Generator* generator,
                Caller at) {
  if (index.rank() != 2 || index.size(1) == 0) {
    fail("generate", at, "goes on from prompts [N, T] of at least one token; got {}",
         describe(index));
  }
  NoGrad off;
  Evaluating evaluating(model);
  // A few rows a step are bound by how the weights are read, one by reading them at all.
  constexpr int64_t enough_rows = 4;
  std::optional<PackedWeights> packed;
  if (index.size(0) >= enough_rows || !o.cached) packed.emplace();
  Reader reader(model, o.cached);
  Tensor all = index.to(DType::i64), ended;
  for (int64_t i = 0; i < o.tokens; ++i) {
    Tensor token = sample(reader.next(all, i == 0 ? all.size(1) : 1), o, generator, at);
    if (o.stop >= 0) {
      const Tensor stop = full({1}, static_cast<double>(o.stop), DType::i64, token.device());
      if (ended.defined()) token = where(ended, stop, token);
      ended = equal(token, stop);
    }
    all = concatenate({all, token.unsqueeze(1)}, 1);
    if (ended.defined() && strata::all(ended).item() != 0) break;
  }
  return all;
}

}  // namespace strata
