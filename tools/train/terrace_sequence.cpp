// Terrace-sequence: a network whose layers see a tuple each, as the rules do, beside a fully
// connected one of the same depth and width on the same examples.
#include <fmt/format.h>

#include "engine/autograd/autograd.h"
#include "engine/data/keyed_random.h"
#include "engine/data/terrace_sequence.h"
#include "engine/nn/activation.h"
#include "engine/nn/linear.h"
#include "engine/nn/sequential.h"
#include "engine/ops.h"
#include "models/model.h"
#include "tools/train/domains.h"

namespace strata::train {
namespace {

// Symbols [N, s^L] as one-hot vectors, then L times: s neighbours are joined and go through one
// Linear and ReLU of `width` (a convolution with kernel and stride s), then a head of the classes.
// Not `tree`: the first layer joins all symbols, and L - 1 more follow.
class SequenceNet : public Model {
 public:
  SequenceNet(const TerraceSequence& data, int64_t width, bool tree)
      : options_(data.options()), tree_(tree), body_(add<Sequential>("body")) {
    int64_t inputs = options_.vocabulary * (tree ? options_.branching : data.length());
    for (int level = 0; level < options_.levels; ++level) {
      auto stage = std::make_shared<Sequential>();
      stage->push<Linear>("linear", inputs, width);
      stage->push<ReLU>("relu");
      body_.push(stage);
      inputs = tree ? width * options_.branching : width;
    }
    head_ = &add<Linear>("head", width, options_.classes);
  }
  std::string kind() const override { return tree_ ? "SequenceTree" : "SequenceMlp"; }
  Tensor forward(const Tensor& strings) override {
    Tensor x = one_hot(strings, options_.vocabulary);
    for (size_t level = 0; level < body_.size(); ++level) {
      if (tree_) {
        x = x.reshape({x.size(0), x.size(1) / options_.branching, x.size(2) * options_.branching});
      } else if (x.rank() == 3) {
        x = x.flatten(1);
      }
      x = body_[level](x);
    }
    return (*head_)(x.flatten(1));
  }
  std::vector<std::string> stages() const override {
    std::vector<std::string> names;
    for (size_t level = 0; level < body_.size(); ++level)
      names.push_back(fmt::format("body.{}", level));
    names.push_back("head");
    return names;
  }

 private:
  TerraceSequenceOptions options_;
  bool tree_;
  Sequential& body_;
  Linear* head_;
};

// Strings first, first + 1, ... are the training set, as many as eight times P*; those behind
// 1e9 and 2e9 are held out. (Where the training set is a large part of all strings some are in
// both.)
class SequenceTask : public Task {
 public:
  explicit SequenceTask(const TaskOptions& o)
      : options_(o), data_(o.seed, read(o)), tree_(data_, width_, true) {}

  Model& model() override { return tree_; }
  int64_t total_steps() const override { return options_.steps.value_or(2000); }
  std::unique_ptr<Optimizer> optimizer() override { return adam(tree_); }
  Schedule schedule() const override { return cosine(total_steps(), 0.01); }
  Tensor loss(int64_t step) override { return loss_of(tree_, step); }

  std::vector<Score> evaluate(bool final) override {
    Score score;
    score.name = "test accuracy";
    score.unit = "%";
    score.value = accuracy(tree_, final);
    if (!final) return {score};
    score.yardstick_name = "fully connected";
    score.yardstick = fully_connected();
    Score same = score;
    same.name = "class unchanged when the lowest tuples are exchanged for synonyms";
    same.value = unchanged();
    same.yardstick_name = "chance";
    same.yardstick = 100.0 / data_.options().classes;
    return {score, same};
  }

  std::vector<std::string> finish(const std::filesystem::path&) override {
    return {data_.describe(), fmt::format("trained on {} strings", training_strings())};
  }

 private:
  static constexpr int64_t batch = 128, held_out = 2000;
  static constexpr uint64_t first_of_validation = 1'000'000'000, first_of_test = 2'000'000'000;

  static TerraceSequenceOptions read(const TaskOptions& o) {
    TerraceSequenceOptions options{.levels = 3, .rule_seed = o.seed};
    for (auto& [key, value] : o.model.items()) {
      if (key == "levels")
        options.levels = value;
      else if (key == "branching")
        options.branching = value;
      else if (key == "vocabulary")
        options.vocabulary = value;
      else if (key == "synonyms")
        options.synonyms = value;
      else if (key == "classes")
        options.classes = value;
      else
        fail("train", Caller{},
             "terrace-sequence has no option '{}'; it takes levels, branching, vocabulary, "
             "synonyms, classes",
             key);
    }
    return options;
  }

  std::unique_ptr<Optimizer> adam(Model& model) const {
    return std::make_unique<Adam>(
        model.named_parameters(),
        AdamOptions{.learning_rate = options_.learning_rate.value_or(2e-3)});
  }
  int64_t training_strings() const { return static_cast<int64_t>(8 * data_.sample_complexity()); }

  // A batch drawn by the step from the training set.
  Tensor loss_of(Model& model, int64_t step) {
    if (!training_.strings.defined()) training_ = data_.batch(0, training_strings());
    KeyedRandom random(options_.seed, static_cast<uint64_t>(step), 0x62617463u);
    std::vector<int64_t> rows(batch);
    for (int64_t& row : rows) row = random.below(static_cast<uint32_t>(training_strings()));
    const Tensor index = from_vector(rows, {batch});
    return cross_entropy(model(index_select(training_.strings, 0, index).to(options_.device)),
                         index_select(training_.labels, 0, index).to(options_.device));
  }

  double accuracy(Model& model, bool final) {
    const auto held = data_.batch(final ? first_of_test : first_of_validation, held_out);
    const Tensor answers = argmax(model(held.strings.to(options_.device)), -1).to(Device::cpu);
    return 100 * mean(equal(answers, held.labels).to(DType::f32)).item();
  }

  // Share of strings that get the same answer when every lowest tuple is another synonym.
  double unchanged() {
    std::vector<int64_t> strings, exchanged;
    for (int64_t i = 0; i < held_out; ++i) {
      const auto d = data_.example(first_of_test + static_cast<uint64_t>(i));
      const auto other =
          data_.exchange_level(d, data_.options().levels - 1, static_cast<uint64_t>(i));
      strings.insert(strings.end(), d.symbols.back().begin(), d.symbols.back().end());
      exchanged.insert(exchanged.end(), other.symbols.back().begin(), other.symbols.back().end());
    }
    auto answers = [&](const std::vector<int64_t>& all) {
      const Tensor x = from_vector(all, {held_out, data_.length()});
      return argmax(tree_(x.to(options_.device)), -1).to(Device::cpu);
    };
    return 100 * mean(equal(answers(strings), answers(exchanged)).to(DType::f32)).item();
  }

  // The same steps with the other network; its weights are drawn from the same generator.
  double fully_connected() {
    SequenceNet other(data_, width_, false);
    other.to(options_.device);
    {
      EnableGrad on;
      const std::unique_ptr<Optimizer> optimizer = adam(other);
      Scheduler scheduler(*optimizer, schedule());
      for (int64_t step = 0; step < total_steps(); ++step) {
        optimizer->zero_grad();
        loss_of(other, step).backward();
        optimizer->step();
        scheduler.step();
      }
    }
    return accuracy(other, true);
  }

  static constexpr int64_t width_ = 128;
  TaskOptions options_;
  TerraceSequence data_;
  SequenceNet tree_;
  TerraceSequence::Batch training_;
};

}  // namespace

std::vector<TaskEntry> terrace_sequence_tasks() {
  return {{"terrace-sequence", "a tree of layers on the random hierarchy model, and its rival", "",
           [](const TaskOptions& o) { return std::make_unique<SequenceTask>(o); }}};
}

}  // namespace strata::train
