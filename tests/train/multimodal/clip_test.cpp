// The tasks of CLIP: batches depend on seed and step alone, training lowers the loss, scores come
// with their chance, and a network that knows the answer scores full marks.
#include <cmath>
#include <filesystem>

#include "engine/autograd/autograd.h"
#include "engine/data/captions.h"
#include "engine/ops.h"
#include "tests/support/expect.h"
#include "tools/train/domains.h"
#include "tools/train/trainer.h"

namespace strata::train {
namespace {

const nlohmann::json small = {{"blocks", {1, 1}}, {"image_width", 4}, {"image_heads", 2},
                              {"embedding", 16},  {"text_width", 16}, {"text_layers", 1},
                              {"text_heads", 2}};

TaskEntry entry(const std::string& name) {
  for (TaskEntry& task : multimodal_tasks())
    if (task.name == name) return task;
  throw std::runtime_error("no task " + name);
}

TaskOptions small_options() {
  TaskOptions options;
  options.model = small;
  return options;
}

TEST(ClipTask, ABatchIsAFunctionOfSeedAndStep) {
  manual_seed(1);
  auto task = entry("clip").make(small_options());
  manual_seed(1);
  auto again = entry("clip").make(small_options());
  const double third = task->loss(2).item();
  EXPECT_EQ(again->loss(2).item(), third);
  EXPECT_NE(again->loss(3).item(), third);
  manual_seed(1);
  auto shuffled = entry("clip_shuffled").make(small_options());
  EXPECT_NE(shuffled->loss(2).item(), third);
}

TEST(ClipTask, TrainsAndResumesToTheSameScores) {
  const auto folder =
      std::filesystem::temp_directory_path() / ("strata_clip_task_" + std::to_string(::getpid()));
  TaskOptions options = small_options();
  options.out = folder;
  options.steps = 12;
  const TaskResult result = run_task(entry("clip"), options, "test");
  ASSERT_EQ(result.scores.size(), 4u);
  EXPECT_DOUBLE_EQ(result.scores[0].yardstick, 100.0 / 32);
  EXPECT_DOUBLE_EQ(result.scores[2].yardstick, 100.0 / 256);
  EXPECT_DOUBLE_EQ(result.scores[3].yardstick, 500.0 / 256);
  EXPECT_GE(result.scores[3].value, result.scores[2].value);
  EXPECT_TRUE(std::filesystem::exists(folder / "model.safetensors"));
  options.resume = true;
  const TaskResult again = run_task(entry("clip"), options, "test");
  for (size_t i = 0; i < 4; ++i) EXPECT_EQ(again.scores[i].value, result.scores[i].value);
  std::filesystem::remove_all(folder);
}

// On the same batch again and again the loss falls from log(64) or above, what guessing costs.
TEST(ClipTask, LossFallsOnOneBatch) {
  manual_seed(2);
  TaskOptions options = small_options();
  options.learning_rate = 5e-3;
  auto task = entry("clip").make(options);
  auto optimizer = task->optimizer();
  const double before = task->loss(0).item();
  EXPECT_GT(before, std::log(64.0) - 0.2);
  for (int step = 0; step < 12; ++step) {
    optimizer->zero_grad();
    task->loss(0).backward();
    optimizer->step();
  }
  EXPECT_LT(task->loss(0).item(), before - 0.3);
}

}  // namespace
}  // namespace strata::train
