// A character language model with a memory of fixed size, beside the GPT of language.cpp: it is
// trained on windows, and tested on one long text that it reads from left to right.
#include <cmath>

#include "engine/io/atomic_file.h"
#include "engine/ops.h"
#include "models/language/recurrent_lm.h"
#include "models/registry.h"
#include "tools/train/count_model.h"
#include "tools/train/domains.h"
#include "tools/train/text_split.h"
#include "tools/train/view_text.h"

namespace strata::train {
namespace {

using nlohmann::json;

constexpr int64_t windows = 32, window = 128;  // of a training step

class RecurrentShakespeare : public Task {
 public:
  explicit RecurrentShakespeare(const TaskOptions& o)
      : options_(o), text_(split_text(o.data)), training_(text_.training().contiguous()) {
    json model = {{"vocabulary", text_.vocabulary.size()},
                  {"embedding", 64},
                  {"width", 256},
                  {"layers", 1},
                  {"dropout", 0.1}};
    if (!o.model.is_null()) model.update(o.model);
    model_.reset(dynamic_cast<RecurrentLm*>(make_model("lstm_lm", model).release()));
    if (text_.training_first <= window)
      fail("train", Caller{}, "{} characters for validation are fewer than a window of {}",
           text_.training_first, window);
  }

  Model& model() override { return *model_; }
  int64_t total_steps() const override { return options_.steps.value_or(2000); }
  std::unique_ptr<Optimizer> optimizer() override {
    return std::make_unique<Adam>(
        model_->named_parameters(),
        AdamOptions{.learning_rate = options_.learning_rate.value_or(4e-3)});
  }
  Schedule schedule() const override { return cosine(total_steps(), 0.02); }
  double clip_norm() const override { return 1; }

  Tensor loss(int64_t step) override {
    const TextBatch batch =
        text_batch(training_, windows, window, options_.seed, static_cast<uint64_t>(step));
    return cross_entropy((*model_)(batch.inputs.to(options_.device)),
                         batch.targets.to(options_.device));
  }

  std::vector<Score> evaluate(bool final) override {
    constexpr int64_t validated = 16384;  // characters; the whole split would take long
    const int64_t first = final ? text_.test_first : 1;
    const int64_t last = final ? text_.length() : std::min(text_.training_first, first + validated);
    Score score;
    score.name = final ? "test" : "validation";
    score.value = bits(first, last);
    score.unit = "bits per character";
    score.higher_is_better = false;
    if (final) {
      CountModel counts(text_.vocabulary.size(), 4);
      counts.fit(text_.part(0, text_.test_first));
      score.yardstick_name = "counts of 4 characters of context";
      score.yardstick =
          counts.bits(text_.part(0, text_.length()), static_cast<size_t>(text_.test_first));
    }
    return {score};
  }

  // A thousand characters, each drawn from softmax(logits / 0.8).
  std::vector<std::string> finish(const std::filesystem::path& out) override {
    Generator generator(options_.seed);
    RecurrentState state;
    Tensor token = zeros({1, 1}, DType::i64);
    std::vector<Tensor> drawn;
    for (int i = 0; i < 1000; ++i) {
      const Tensor logits = model_->next(token.to(options_.device), state);
      const Tensor shares = softmax(logits.reshape({logits.size(2)}).to(Device::cpu) * (1 / 0.8));
      token = multinomial(shares, &generator).reshape({1, 1});
      drawn.push_back(token.select(0, 0));
    }
    const std::string sample = text_.vocabulary.decode(concatenate(drawn));
    io::write_file((out / "sample.txt").string(), sample);
    return {"sample.txt, which begins:", sample.substr(0, 300)};
  }

  json panels(const Untrained& untrained) override {
    return text_panels(text_view(text_, 300, options_.device), *model_, untrained());
  }

 private:
  // Mean of -log2 probability over characters [first, last) of the text, each predicted once, from
  // all that was read since two windows before `first`.
  double bits(int64_t first, int64_t last) {
    RecurrentState state;
    double sum = 0;
    for (int64_t at = std::max<int64_t>(1, first - 2 * window); at < last;) {
      const int64_t end = std::min(at < first ? first : last, at + window);
      const Tensor inputs = text_.numbers.slice(0, at - 1, end - 1).unsqueeze(0);
      const Tensor targets = text_.numbers.slice(0, at, end).unsqueeze(0);
      const Tensor logits = model_->next(inputs.to(options_.device), state);
      if (at >= first)
        sum += cross_entropy(logits, targets.to(options_.device), {.reduction = Reduction::sum})
                   .item();
      at = end;
    }
    return sum / static_cast<double>(last - first) / std::log(2.0);
  }

  TaskOptions options_;
  TextSplit text_;
  Tensor training_;
  std::unique_ptr<RecurrentLm> model_;
};

}  // namespace

std::vector<TaskEntry> recurrent_language_tasks() {
  return {{"shakespeare-lstm", "LSTM on the characters of a text, in bits per character",
           "a text file in UTF-8 (tinyshakespeare.txt)",
           [](const TaskOptions& o) { return std::make_unique<RecurrentShakespeare>(o); }}};
}

}  // namespace strata::train
