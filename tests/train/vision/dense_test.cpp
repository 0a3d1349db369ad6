// The tasks of segmentation and detection: their data fit the images, the loss falls, and scores
// come with what can be said without looking.
#include <filesystem>

#include "engine/autograd/autograd.h"
#include "engine/io/checkpoint.h"
#include "engine/ops.h"
#include "tests/support/expect.h"
#include "tools/train/domains.h"
#include "tools/train/trainer.h"

namespace strata::train {
namespace {

TaskEntry entry(const std::string& name) {
  for (TaskEntry& task : dense_tasks())
    if (task.name == name) return task;
  throw std::runtime_error("no task " + name);
}

TaskOptions tiny() {
  TaskOptions options;
  options.model = {{"base_width", 4}};
  return options;
}

class DenseTask : public testing::TestWithParam<const char*> {};

TEST_P(DenseTask, BatchesAreAFunctionOfSeedAndStep) {
  auto loss = [](int64_t step, uint64_t seed) {
    manual_seed(1);
    TaskOptions options = tiny();
    options.seed = seed;
    auto task = entry(GetParam()).make(options);
    NoGrad off;
    return task->loss(step).item();
  };
  const double first = loss(0, 1);
  EXPECT_EQ(loss(0, 1), first);
  EXPECT_NE(loss(1, 1), first);
  EXPECT_NE(loss(0, 2), first);
}

TEST_P(DenseTask, TrainsAndScores) {
  const auto folder = std::filesystem::temp_directory_path() /
                      (std::string("strata_dense_") + GetParam() + std::to_string(::getpid()));
  TaskOptions options = tiny();
  options.out = folder;
  options.steps = 16;
  options.learning_rate = 1e-2;
  manual_seed(options.seed);
  auto untrained = entry(GetParam()).make(options);
  const double before = untrained->loss(0).item();
  const TaskResult result = run_task(entry(GetParam()), options, "test");
  {
    NoGrad off;
    io::load_model((folder / "model.safetensors").string(), untrained->model());
    EXPECT_LT(untrained->loss(0).item(), 0.8 * before);
  }
  // Blind answers score some, far from all: 5 classes of which one covers most of the image, mean
  // boxes that are right for one class in four.
  const Score& score = result.scores.front();
  EXPECT_GT(score.yardstick, 5) << score.yardstick_name;
  EXPECT_LT(score.yardstick, 35) << score.yardstick_name;
  EXPECT_GE(score.value, 0);
  EXPECT_LE(score.value, 100);
  std::filesystem::remove_all(folder);
}

INSTANTIATE_TEST_SUITE_P(Tasks, DenseTask, testing::Values("segment", "detect"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace strata::train
