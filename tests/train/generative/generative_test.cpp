// The tasks without labels: a few steps bring the scores towards, or past, what is known without
// learning.
#include <cmath>
#include <filesystem>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "tests/support/expect.h"
#include "tools/train/domains.h"
#include "tools/train/trainer.h"

namespace strata::train {
namespace {

TaskEntry entry(const std::string& name) {
  for (TaskEntry& task : generative_tasks())
    if (task.name == name) return task;
  throw std::runtime_error("no task " + name);
}

TaskOptions small(const std::string& name) {
  TaskOptions options;
  options.model = name == "rbm" ? nlohmann::json{{"hidden", 6}} : nlohmann::json{{"code", 32}};
  options.steps = 30;
  options.out = std::filesystem::temp_directory_path() /
                ("strata_generative_" + name + std::to_string(::getpid()));
  return options;
}

TEST(GenerativeTasks, BatchesAreAFunctionOfSeedAndStep) {
  for (const char* name : {"denoise", "rbm"}) {
    auto loss = [&](int64_t step) {
      manual_seed(3);
      auto task = entry(name).make(small(name));
      NoGrad off;
      return task->loss(step).item();
    };
    EXPECT_EQ(loss(0), loss(0)) << name;
    EXPECT_NE(loss(0), loss(1)) << name;
  }
}

// It starts at what independent pixels know, and a few steps go past it.
TEST(GenerativeTasks, RbmGainsLikelihood) {
  TaskOptions options = small("rbm");
  options.steps = 200;
  const Score score = run_task(entry("rbm"), options, "test").scores.front();
  std::filesystem::remove_all(options.out);
  EXPECT_GT(score.yardstick, -256 * std::log(2.0) + 50);
  EXPECT_GT(score.value, score.yardstick + 2);
  EXPECT_LT(score.value, 0);
}

TEST(GenerativeTasks, DenoisingTellsMoreThanTheMeanImage) {
  const TaskOptions options = small("denoise");
  const Score score = run_task(entry("denoise"), options, "test").scores.front();
  std::filesystem::remove_all(options.out);
  EXPECT_GT(score.yardstick, 0.3);  // normalised images: about the variance, 1
  EXPECT_LT(score.value, score.yardstick);
}

}  // namespace
}  // namespace strata::train
