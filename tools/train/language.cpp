// Language: a character GPT, and a BERT that fills gaps.
#include <cmath>

#include "engine/io/atomic_file.h"
#include "engine/ops.h"
#include "models/language/gpt.h"
#include "models/language/sampling.h"
#include "models/registry.h"
#include "tools/train/count_model.h"
#include "tools/train/domains.h"
#include "tools/train/masked_text.h"
#include "tools/train/text_split.h"
#include "tools/train/view_text.h"

namespace strata::train {
namespace {

using nlohmann::json;

// The characters in the order of their numbers, so that a model can be used without the text.
void write_vocabulary(const std::filesystem::path& path, const Vocabulary& vocabulary) {
  json symbols = json::array();
  for (int64_t i = 0; i < vocabulary.size(); ++i) symbols.push_back(vocabulary.symbol(i));
  io::write_file(path.string(), symbols.dump() + "\n");
}

std::unique_ptr<Optimizer> adamw(Model& model, double learning_rate) {
  return std::make_unique<AdamW>(
      only_matrices_decay(model),
      AdamOptions{.learning_rate = learning_rate, .beta2 = 0.98, .weight_decay = 0.1});
}

// A GPT that reads characters. Every character of a held-out part is predicted once, from at least
// half a context before it.
class Shakespeare : public Task {
 public:
  explicit Shakespeare(const TaskOptions& o)
      : options_(o), text_(split_text(o.data)), training_(text_.training().contiguous()) {
    json model = {{"vocabulary", text_.vocabulary.size()},
                  {"context", 128},
                  {"width", 128},
                  {"heads", 4},
                  {"layers", 4}};
    if (!o.model.is_null()) model.update(o.model);
    model_.reset(dynamic_cast<Gpt*>(make_model("gpt", model).release()));
    if (text_.training_first <= context()) {
      fail("train", Caller{}, "a context of {} is longer than the {} characters for validation",
           context(), text_.training_first);
    }
  }

  Model& model() override { return *model_; }
  int64_t total_steps() const override { return options_.steps.value_or(4500); }
  std::unique_ptr<Optimizer> optimizer() override {
    return adamw(*model_, options_.learning_rate.value_or(3e-3));
  }
  Schedule schedule() const override {
    const int64_t rise = std::min<int64_t>(100, total_steps() / 10);
    return warm_up(rise, cosine(total_steps() - rise, 0.05));
  }
  double clip_norm() const override { return 1; }

  Tensor loss(int64_t step) override {
    const TextBatch batch =
        text_batch(training_, windows, context(), options_.seed, static_cast<uint64_t>(step));
    return cross_entropy((*model_)(batch.inputs.to(options_.device)),
                         batch.targets.to(options_.device));
  }

  std::vector<Score> evaluate(bool final) override {
    constexpr int64_t validated = 16384;  // characters; the whole split would take long
    const int64_t first = final ? text_.test_first : context();  // what is before is context
    const int64_t last = final ? text_.length() : std::min(text_.training_first, first + validated);
    Score score;
    score.name = final ? "test" : "validation";
    score.value = bits(first, last);
    score.unit = "bits per character";
    score.higher_is_better = false;
    if (final) {
      score.yardstick_name = "counts of 4 characters of context";
      score.yardstick = yardstick();
    }
    return {score};
  }

  std::vector<std::string> finish(const std::filesystem::path& out) override {
    Generator generator(options_.seed);
    GenerateOptions generate_options;
    generate_options.temperature = 0.8;
    generate_options.tokens = 1000;
    const Tensor prompt = text_.vocabulary.encode(text_.vocabulary.symbol(0)).unsqueeze(0);
    const Tensor numbers =
        generate(*model_, prompt.to(options_.device), generate_options, &generator);
    const std::string sample = text_.vocabulary.decode(numbers.select(0, 0).to(Device::cpu));
    io::write_file((out / "sample.txt").string(), sample);
    write_vocabulary(out / "vocabulary.json", text_.vocabulary);
    return {"sample.txt, which begins:", sample.substr(0, 300)};
  }

  json panels(const Untrained& untrained) override {
    return text_panels(text_view(text_, std::min<int64_t>(context() + 1, shown), options_.device),
                       *model_, untrained());
  }

 private:
  static constexpr int64_t windows = 32;  // a step
  static constexpr int64_t shown = 300;   // characters of a text in the report

  int64_t context() const { return model_->options().context; }

  double yardstick() const {
    CountModel counts(text_.vocabulary.size(), 4);
    counts.fit(text_.part(0, text_.test_first));
    return counts.bits(text_.part(0, text_.length()), static_cast<size_t>(text_.test_first));
  }

  // Mean of -log2 probability over characters [first, last) of the text. Windows of a context
  // end half a context apart, and each scores its later half, or what is left of it.
  double bits(int64_t first, int64_t last) const {
    const int64_t time = context(), half = (time + 1) / 2;
    double sum = 0;
    for (int64_t at = first; at < last;) {
      const int64_t whole = std::min(windows, (last - at) / half);
      const int64_t count = std::max<int64_t>(1, whole);
      const int64_t scored = whole > 0 ? half : last - at;
      std::vector<Tensor> inputs, targets;
      for (int64_t i = 0; i < count; ++i, at += scored) {
        const int64_t end = at + scored;
        inputs.push_back(text_.numbers.slice(0, end - 1 - time, end - 1));
        targets.push_back(text_.numbers.slice(0, at, end));
      }
      const Tensor logits = (*model_)(stack(inputs).to(options_.device));
      sum += cross_entropy(logits.slice(1, time - scored, time), stack(targets).to(options_.device),
                           {.reduction = Reduction::sum})
                 .item();
    }
    return sum / static_cast<double>(last - first) / std::log(2.0);
  }

  TaskOptions options_;
  TextSplit text_;
  Tensor training_;
  std::unique_ptr<Gpt> model_;
};

// A BERT that fills gaps in windows of characters. Scored on the whole test part, where every gap
// shows the mask, against saying the most frequent character each time.
class MaskedCharacters : public Task {
 public:
  explicit MaskedCharacters(const TaskOptions& o)
      : options_(o),
        text_(split_text(o.data)),
        tokens_((text_.numbers + scalar(characters_first, DType::i64)).contiguous()),
        training_(tokens_.slice(0, text_.training_first, text_.test_first)) {
    mask_.first = characters_first;
    mask_.last = characters_first + text_.vocabulary.size();
    std::vector<int64_t> counts(static_cast<size_t>(mask_.last));
    for (int64_t token : training_.to_vector<int64_t>()) ++counts[static_cast<size_t>(token)];
    frequent_ = argmax(from_vector(counts, {mask_.last}), 0);
    // Small and soon trained: with four layers of width 128 it does not leave the frequencies of
    // characters within 500 steps, with two of 64 it begins to read neighbours after 400.
    json model = {
        {"vocabulary", mask_.last}, {"context", 64}, {"width", 64}, {"heads", 4}, {"layers", 2}};
    if (!o.model.is_null()) model.update(o.model);
    model["head"] = "masked";
    context_ = model.at("context");
    model_ = make_model("bert", model);
    if (text_.training_first < context_) {
      fail("train", Caller{}, "a context of {} is longer than the {} characters for validation",
           context_, text_.training_first);
    }
  }

  Model& model() override { return *model_; }
  int64_t total_steps() const override { return options_.steps.value_or(2500); }
  std::unique_ptr<Optimizer> optimizer() override {
    return adamw(*model_, options_.learning_rate.value_or(3e-3));
  }
  Schedule schedule() const override {
    const int64_t rise = std::min<int64_t>(200, total_steps() / 10);
    return warm_up(rise, linear_decay(total_steps() - rise));
  }
  double clip_norm() const override { return 1; }

  Tensor loss(int64_t step) override {
    const auto number = static_cast<uint64_t>(step);
    const TextBatch batch = text_batch(training_, windows, context_, options_.seed, number);
    const MaskedText text = mask_text(batch.inputs, mask_, options_.seed, number);
    return cross_entropy((*model_)(text.inputs.to(options_.device)),
                         text.targets.to(options_.device));
  }

  std::vector<Score> evaluate(bool final) override {
    constexpr int64_t validated = 16384;  // characters
    const int64_t first = final ? text_.test_first : 0;
    const int64_t last = final ? text_.length() : std::min(text_.training_first, first + validated);
    const auto [right, frequent] = accuracies(first, last);
    Score score;
    score.name = final ? "test, gaps filled rightly" : "validation, gaps filled rightly";
    score.value = right;
    score.unit = "%";
    if (final) {
      score.yardstick_name = "the most frequent character";
      score.yardstick = frequent;
    }
    return {score};
  }

  std::vector<std::string> finish(const std::filesystem::path& out) override {
    write_vocabulary(out / "vocabulary.json", text_.vocabulary);
    return {"vocabulary.json: token number = place in it + 2; 0 fills up, 1 is a gap"};
  }

  json panels(const Untrained& untrained) override {
    TextView view = text_view(text_, std::min<int64_t>(context_, shown), options_.device);
    view.mask = mask_token;
    view.symbols.insert(view.symbols.begin(), {"(nothing)", "(gap)"});
    for (auto& tokens : view.texts)
      for (int64_t& token : tokens) token += characters_first;
    return text_panels(view, *model_, untrained());
  }

 private:
  static constexpr int64_t windows = 32;                          // a step
  static constexpr int64_t mask_token = 1, characters_first = 2;  // after the padding and the mask
  static constexpr int64_t shown = 96;  // characters of a text in the report

  // Of the gaps in [first, last): percent that the model fills rightly, and that the most frequent
  // character of the training part does. The same gaps in every run.
  std::pair<double, double> accuracies(int64_t first, int64_t last) const {
    MaskOptions all = mask_;
    all.masked = 1;
    all.random = 0;
    const int64_t whole = std::min(windows, (last - first) / context_);
    double right = 0, right_frequent = 0, asked = 0;
    for (int64_t at = first; at + context_ <= last;) {
      const int64_t count = std::min(whole, (last - at) / context_);
      const Tensor tokens = tokens_.slice(0, at, at + count * context_).reshape({count, context_});
      const MaskedText text = mask_text(tokens, all, 0, static_cast<uint64_t>(at));
      const Tensor said = argmax((*model_)(text.inputs.to(options_.device)), -1).to(Device::cpu);
      asked += sum(greater_equal(text.targets, scalar(0, DType::i64))).item();
      right += sum(equal(said, text.targets)).item();
      right_frequent += sum(equal(frequent_, text.targets)).item();
      at += count * context_;
    }
    if (asked == 0) fail("train", Caller{}, "no character of {} to {} was hidden", first, last);
    return {100 * right / asked, 100 * right_frequent / asked};
  }

  TaskOptions options_;
  TextSplit text_;
  Tensor tokens_, training_;
  Tensor frequent_;  // the most frequent token of the training part
  MaskOptions mask_;
  int64_t context_ = 0;
  std::unique_ptr<Model> model_;
};

}  // namespace

std::vector<TaskEntry> language_tasks() {
  return {
      {"shakespeare", "GPT on the characters of a text, in bits per character against counts",
       "a text file in UTF-8 (tinyshakespeare.txt)",
       [](const TaskOptions& o) { return std::make_unique<Shakespeare>(o); }},
      {"masked-lm", "BERT that fills gaps in the characters of a text, in percent against guessing",
       "a text file in UTF-8 (tinyshakespeare.txt)",
       [](const TaskOptions& o) { return std::make_unique<MaskedCharacters>(o); }},
  };
}

}  // namespace strata::train
