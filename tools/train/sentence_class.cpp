// A BERT that tells what a text is about: passages of terrace-text, whose topic is a table of the
// setting of their nouns and the field of their verbs. Nouns alone tell it in part, and so do
// verbs; to tell it always, the two have to be brought together.
#include <algorithm>
#include <array>

#include "engine/data/terrace_text.h"
#include "engine/ops.h"
#include "models/language/bert.h"
#include "models/registry.h"
#include "tools/train/domains.h"

namespace strata::train {
namespace {

using nlohmann::json;

// Passages are numbered: trained on from 0, held out from these on.
constexpr uint64_t first_of_validation = 1'000'000'000, first_of_test = 2'000'000'000;
constexpr int64_t topics = 4;
constexpr int64_t passages = 32;                   // a step
constexpr int64_t validated = 512, tested = 2048;  // passages

class SentenceClass : public Task {
 public:
  explicit SentenceClass(const TaskOptions& o) : options_(o), data_(o.seed) {
    // Words come after the padding: number + 1.
    json model = {{"vocabulary", data_.vocabulary() + 1},
                  {"context", data_.longest()},
                  {"width", 32},
                  {"heads", 2},
                  {"layers", 1}};
    if (!o.model.is_null()) model.update(o.model);
    model["head"] = "classes";
    model["classes"] = topics;
    model_ = make_model("bert", model);
  }

  Model& model() override { return *model_; }
  int64_t total_steps() const override { return options_.steps.value_or(300); }
  std::unique_ptr<Optimizer> optimizer() override {
    return std::make_unique<AdamW>(
        model_->named_parameters(),
        AdamOptions{.learning_rate = options_.learning_rate.value_or(3e-3), .weight_decay = 0.01});
  }
  Schedule schedule() const override {
    const int64_t rise = std::min<int64_t>(100, total_steps() / 10);
    return warm_up(rise, linear_decay(total_steps() - rise));
  }
  double clip_norm() const override { return 1; }

  Tensor loss(int64_t step) override {
    const Batch batch = read(static_cast<uint64_t>(step * passages), passages);
    return cross_entropy((*model_)(batch.words.to(options_.device)),
                         batch.topics.to(options_.device));
  }

  std::vector<Score> evaluate(bool final) override {
    const uint64_t first = final ? first_of_test : first_of_validation;
    const int64_t count = final ? tested : validated;
    double right = 0;
    Counts of_setting{}, of_field{};
    for (int64_t i = 0; i < count; i += passages) {
      const Batch batch = read(first + static_cast<uint64_t>(i), passages, &of_setting, &of_field);
      const Tensor said = argmax((*model_)(batch.words.to(options_.device)), -1).to(Device::cpu);
      right += sum(equal(said, batch.topics)).item();
    }
    Score score;
    score.name = final ? "test accuracy" : "validation accuracy";
    score.value = 100 * right / static_cast<double>(count);
    score.unit = "%";
    score.yardstick_name = "the likeliest topic after the nouns, or the verbs, alone";
    score.yardstick =
        100 * std::max(best_of(of_setting), best_of(of_field)) / static_cast<double>(count);
    return {score};
  }

 private:
  struct Batch {
    Tensor words, topics;  // i64 [N, T], filled up with 0; i64 [N]
  };

  // Passages of each setting (or field) and topic.
  using Counts = std::array<std::array<double, topics>, terrace_text::settings>;
  static_assert(terrace_text::settings == terrace_text::fields);
  // How many are told rightly by the most frequent topic of each row.
  static double best_of(const Counts& counts) {
    double sum = 0;
    for (const auto& row : counts) sum += *std::max_element(row.begin(), row.end());
    return sum;
  }

  // Adds the passages to the counts, where they are given.
  Batch read(uint64_t first, int64_t count, Counts* of_setting = nullptr,
             Counts* of_field = nullptr) const {
    // -100 fills up there; after the step by one every word is above 0.
    const Tensor padded = data_.padded(first, count);
    Batch batch{maximum(padded + scalar(1, DType::i64), scalar(0, DType::i64)), {}};
    std::vector<int64_t> numbers;
    for (int64_t i = 0; i < count; ++i) {
      const terrace_text::Passage passage = data_.passage(first + static_cast<uint64_t>(i));
      const auto topic = static_cast<size_t>(passage.topic);
      numbers.push_back(passage.topic);
      if (of_setting) ++(*of_setting)[static_cast<size_t>(passage.setting)][topic];
      if (of_field) ++(*of_field)[static_cast<size_t>(passage.field)][topic];
    }
    batch.topics = from_vector(numbers, {count});
    return batch;
  }

  TaskOptions options_;
  TerraceText data_;
  std::unique_ptr<Model> model_;
};

}  // namespace

std::vector<TaskEntry> sentence_tasks() {
  return {{"sentence-class",
           "BERT that tells the topic of terrace-text from nouns and verbs together, in percent",
           "", [](const TaskOptions& o) { return std::make_unique<SentenceClass>(o); }}};
}

}  // namespace strata::train
