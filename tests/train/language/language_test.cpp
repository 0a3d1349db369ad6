// The tasks of language on a small text: they learn, go on to the same bits where they were
// interrupted, and score every character of the test part once.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "engine/autograd/autograd.h"
#include "engine/data/keyed_random.h"
#include "engine/io/safetensors.h"
#include "engine/ops.h"
#include "models/language/gpt.h"
#include "tests/support/expect.h"
#include "tools/train/count_model.h"
#include "tools/train/domains.h"
#include "tools/train/text_split.h"
#include "tools/train/trainer.h"

namespace strata::train {
namespace {

using test::values;
namespace fs = std::filesystem;

// Words of a small lexicon at random: letters within a word can be foretold, words cannot.
std::string words(size_t length) {
  const char* lexicon[] = {"ab", "cde", "fghi", "jkl"};
  KeyedRandom random(1, 0, 0);
  std::string text;
  while (text.size() < length) text += std::string(lexicon[random.below(4)]) + ' ';
  return text;
}

const TaskEntry& task(const std::string& name) {
  static const std::vector<TaskEntry> all = language_tasks();
  for (const TaskEntry& entry : all)
    if (entry.name == name) return entry;
  throw std::logic_error("no task " + name);
}

// A task that stops early, as a run does whose machine is switched off.
class Until : public Task {
 public:
  Until(std::unique_ptr<Task> task, int64_t steps) : task_(std::move(task)), steps_(steps) {}
  Model& model() override { return task_->model(); }
  int64_t total_steps() const override { return steps_; }
  std::unique_ptr<Optimizer> optimizer() override { return task_->optimizer(); }
  Schedule schedule() const override { return task_->schedule(); }
  double clip_norm() const override { return task_->clip_norm(); }
  Tensor loss(int64_t step) override { return task_->loss(step); }
  std::vector<Score> evaluate(bool final) override { return task_->evaluate(final); }
  int64_t evaluate_every() const override { return task_->evaluate_every(); }

 private:
  std::unique_ptr<Task> task_;
  int64_t steps_;
};

class LanguageTasks : public testing::Test {
 protected:
  LanguageTasks() {
    fs::create_directories(folder_);
    write("text.txt", words(4000));
  }
  ~LanguageTasks() override { fs::remove_all(folder_); }

  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name) << text;
    return (folder_ / name).string();
  }
  std::string read(const std::string& run, const std::string& name) const {
    return read_text((folder_ / run / name).string());
  }
  TaskOptions options(const std::string& run, int64_t steps) const {
    TaskOptions o;
    o.data = (folder_ / "text.txt").string();
    o.out = folder_ / run;
    o.model = {{"context", 16}, {"width", 16}, {"heads", 2}, {"layers", 1}};
    o.steps = steps;
    return o;
  }
  // Weights that a run ended with.
  StateDict weights(const std::string& run) const {
    return io::load_safetensors((folder_ / run / "model.safetensors").string());
  }

  fs::path folder_ = fs::temp_directory_path() / ("strata_language_" + std::to_string(getpid()));
};

TEST_F(LanguageTasks, GoOnToTheSameBits) {
  for (const char* name : {"shakespeare", "masked-lm"}) {
    TaskOptions straight = options(std::string("straight ") + name, 20);
    straight.model["dropout"] = 0.1;  // draws from the generator, whose place is kept
    run_task(task(name), straight, "test");

    TaskOptions resumed = straight;
    resumed.out = folder_ / (std::string("resumed ") + name);
    TaskEntry until = task(name);
    until.make = [&](const TaskOptions& o) {
      return std::make_unique<Until>(task(name).make(o), 10);
    };
    run_task(until, resumed, "test");
    EXPECT_NE(values(weights(resumed.out.filename()).begin()->second),
              values(weights(straight.out.filename()).begin()->second));
    resumed.resume = true;
    run_task(task(name), resumed, "test");
    const StateDict got = weights(resumed.out.filename());
    for (auto& [key, tensor] : weights(straight.out.filename()))
      EXPECT_EQ(values(tensor), values(got.at(key))) << name << ' ' << key;
  }
}

TEST_F(LanguageTasks, ShakespeareLearnsAndLeavesASample) {
  TaskOptions o = options("run", 150);
  o.learning_rate = 1e-2;
  const TaskResult result = run_task(task("shakespeare"), o, "test");
  ASSERT_EQ(result.scores.size(), 1u);
  const Score& score = result.scores[0];
  EXPECT_FALSE(score.higher_is_better);
  const TextSplit text = split_text(o.data);
  auto counts = [&](int64_t context) {
    CountModel model(text.vocabulary.size(), context);
    model.fit(text.part(0, text.test_first));
    return model.bits(text.part(0, text.length()), static_cast<size_t>(text.test_first));
  };
  EXPECT_DOUBLE_EQ(score.yardstick, counts(4));
  EXPECT_LT(score.value, counts(0) / 2);
  EXPECT_GT(score.value, 0.4) << "a word of 2 bits and 4 letters cannot be told in less";
  EXPECT_EQ(read("run", "sample.txt").size(), 1001u);  // the prompt and what was added
  EXPECT_EQ(nlohmann::json::parse(read("run", "vocabulary.json")).size(),
            static_cast<size_t>(text.vocabulary.size()));
  EXPECT_EQ(result.lines.at(1), read("run", "sample.txt").substr(0, 300));
}

// The score again, a character at a time.
TEST_F(LanguageTasks, ShakespeareScoresEveryCharacterOnce) {
  TaskOptions o = options("run", 3);
  const double got = run_task(task("shakespeare"), o, "test").scores.at(0).value;
  const TextSplit text = split_text(o.data);
  Gpt model(
      {.vocabulary = text.vocabulary.size(), .context = 16, .width = 16, .heads = 2, .layers = 1});
  model.load_state_dict(weights("run"));
  NoGrad off;
  double sum = 0;
  for (int64_t i = text.test_first; i < text.length(); ++i) {
    // Blocks of half a context begin at the test part; a window ends with each.
    const int64_t in_block = (i - text.test_first) % 8, block = i - in_block;
    const int64_t end = std::min(block + 8, text.length());
    const Tensor before = text.numbers.slice(0, end - 1 - 16, i).unsqueeze(0);
    sum += cross_entropy(model(before).select(1, -1), text.numbers.slice(0, i, i + 1)).item();
  }
  EXPECT_NEAR(got, sum / static_cast<double>(text.length() - text.test_first) / std::log(2.0),
              1e-5);
}

TEST_F(LanguageTasks, MaskedLmFillsGapsBetterThanGuessing) {
  SKIP_WITH_SANITIZERS();
  TaskOptions o = options("run", 400);
  o.learning_rate = 1e-2;
  o.model["width"] = 32;
  const TaskResult result = run_task(task("masked-lm"), o, "test");
  const Score& score = result.scores.at(0);
  const TextSplit text = split_text(o.data);
  // A space is what is most frequent: one in four to five characters.
  double spaces = 0;
  for (int64_t number : text.part(text.test_first, text.length()))
    spaces += text.vocabulary.symbol(number) == " ";
  const double share = 100 * spaces / static_cast<double>(text.length() - text.test_first);
  EXPECT_NEAR(score.yardstick, share, 15);  // some 60 gaps
  EXPECT_GT(score.value, score.yardstick + 20);
}

TEST_F(LanguageTasks, SayWhatTheyNeed) {
  for (const char* name : {"shakespeare", "masked-lm"}) {
    TaskOptions o = options("run", 2);
    o.data = "";
    EXPECT_FAILS(run_task(task(name), o, "test"), "needs --data: a text file in UTF-8");
    o.data = write("short.txt", "to be or not to be");
    EXPECT_FAILS(run_task(task(name), o, "test"), "has 18 characters; .* at least 1,000");
    o = options("run", 2);
    o.model = {{"context", 5000}};
    EXPECT_FAILS(run_task(task(name), o, "test"), "context of 5000 is longer than");
    o.model = {{"depth", 3}};
    EXPECT_FAILS(run_task(task(name), o, "test"), "has no option 'depth'");
  }
}

}  // namespace
}  // namespace strata::train
