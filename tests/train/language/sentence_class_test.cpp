// The topic of passages is learnt from nouns and verbs together: above what either tells alone.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "engine/io/safetensors.h"
#include "tests/support/expect.h"
#include "tools/train/domains.h"
#include "tools/train/trainer.h"

namespace strata::train {
namespace {

namespace fs = std::filesystem;

class SentenceClassTask : public testing::Test {
 protected:
  ~SentenceClassTask() override { fs::remove_all(folder_); }
  TaskResult run(const std::string& name, int64_t steps, const nlohmann::json& model) const {
    TaskOptions o;
    o.out = folder_ / name;
    o.model = model;
    o.steps = steps;
    return run_task(sentence_tasks().at(0), o, "test");
  }

  fs::path folder_ = fs::temp_directory_path() / ("strata_sentences_" + std::to_string(getpid()));
};

TEST_F(SentenceClassTask, BringsNounsAndVerbsTogether) {
  SKIP_WITH_SANITIZERS();
  const TaskResult result = run("run", 300, nullptr);
  const Score& score = result.scores.at(0);
  EXPECT_EQ(score.name, "test accuracy");
  EXPECT_NEAR(score.yardstick, 50, 4) << "a setting has two topics, equally often";
  EXPECT_GT(score.value, score.yardstick + 25);
}

TEST_F(SentenceClassTask, GuessesBeforeItHasLearnt) {
  const TaskResult result = run("run", 1, {{"width", 8}});
  EXPECT_NEAR(result.scores.at(0).value, 25, 4) << "four topics, equally often";
}

TEST_F(SentenceClassTask, RepeatsToTheSameBits) {
  const nlohmann::json model = {{"width", 8}, {"dropout", 0.1}};
  run("a", 5, model);
  run("b", 5, model);
  const StateDict a = io::load_safetensors((folder_ / "a" / "model.safetensors").string());
  const StateDict b = io::load_safetensors((folder_ / "b" / "model.safetensors").string());
  for (auto& [name, tensor] : a) EXPECT_EQ(test::values(tensor), test::values(b.at(name))) << name;
}

}  // namespace
}  // namespace strata::train
