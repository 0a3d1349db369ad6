// The tasks over graphs: a folder in the layout of Cora that is written here, sampled batches,
// resuming, messages; and the first steps of the real Cora where it is at hand.
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "engine/data/keyed_random.h"
#include "engine/data/terrace_graph.h"
#include "tests/data/shared_data.h"
#include "tests/support/expect.h"
#include "tools/train/domains.h"
#include "tools/train/trainer.h"

namespace strata::train {
namespace {

namespace fs = std::filesystem;

const TaskEntry& task_called(const std::string& name) {
  static const std::vector<TaskEntry> all = graph_tasks();
  for (const TaskEntry& entry : all) {
    if (entry.name == name) return entry;
  }
  throw std::logic_error("no task " + name);
}

class GraphTasks : public testing::Test {
 protected:
  fs::path folder_ = fs::temp_directory_path() / fmt::format("strata_graph_tasks_{}", getpid());
  void SetUp() override { fs::create_directories(folder_ / "data"); }
  void TearDown() override { fs::remove_all(folder_); }

  // Three blocks of forty papers. The words are noise but for one a paper in three papers out of
  // ten, so that most can be told by whom they cite only.
  std::string small_cora() const {
    constexpr int64_t nodes = 120, words = 24;
    const BlockModel blocks = stochastic_block_model({40, 40, 40}, 0.25, 0.01, 3);
    std::ofstream content(folder_ / "data" / "cora.content"),
        cites(folder_ / "data" / "cora.cites"), split(folder_ / "data" / "cora.split");
    std::string parts[3] = {"train\t", "val\t", "test\t"};
    for (int64_t i = 0; i < nodes; ++i) {
      KeyedRandom random(1, static_cast<uint64_t>(i), 0);
      const int64_t block = blocks.block[static_cast<size_t>(i)];
      content << i;
      for (int64_t w = 0; w < words; ++w)
        content << '\t' << (w == block && random.below(10) < 3) + (w > 2 && random.below(6) == 0);
      content << "\tclass" << block << '\n';
      parts[i % 4 == 0 ? 0 : i % 4 == 1 ? 1 : 2] += fmt::format("{} ", i);
    }
    for (auto [a, b] : blocks.graph.edge_list())
      if (a < b) cites << a << '\t' << b << '\n';
    for (const std::string& part : parts) split << part << '\n';
    return (folder_ / "data").string();
  }
  TaskOptions options(const std::string& out) const {
    TaskOptions o;
    o.out = folder_ / out;
    return o;
  }
};

TEST_F(GraphTasks, LearnFromEdgesWhatWordsDoNotSay) {
  SKIP_WITH_SANITIZERS();
  const std::string data = small_cora();
  auto score = [&](const std::string& task) {
    TaskOptions o = options(task);
    o.data = data;
    o.steps = 60;
    return run_task(task_called(task), o, "test").scores.at(0).value;
  };
  const double mlp = score("cora-mlp");
  EXPECT_LT(mlp, 75);
  EXPECT_GT(score("cora-gcn"), 90);
  EXPECT_GT(score("cora-gat"), 90);
  EXPECT_GT(score("cora-sage"), 80);
}

// Sampled neighbours and dropout are functions of the seed.
TEST_F(GraphTasks, RepeatToTheSameBits) {
  const std::string data = small_cora();
  for (const char* task : {"cora-sage", "cora-gat"}) {
    auto run = [&](const char* out) {
      TaskOptions o = options(out);
      o.data = data;
      o.steps = 12;
      o.force = true;
      return run_task(task_called(task), o, "test").scores.at(1).value;
    };
    EXPECT_EQ(run("a"), run("b")) << task;
  }
}

TEST_F(GraphTasks, ReadTerraceGraphs) {
  TaskOptions o = options("terrace");
  o.steps = 3;
  o.model = {{"width", 8}, {"layers", 2}};
  const TaskResult result = run_task(task_called("terrace-graph"), o, "test");
  EXPECT_EQ(result.scores.at(0).yardstick, 25);
  EXPECT_GE(result.scores.at(0).value, 15);
  EXPECT_LE(result.scores.at(0).value, 60);
}

TEST_F(GraphTasks, SayWhatIsMissing) {
  TaskOptions o = options("none");
  EXPECT_FAILS(run_task(task_called("cora-gcn"), o, "test"), "needs --data: the folder of cora");
  o.data = small_cora();
  fs::remove(folder_ / "data" / "cora.split");
  EXPECT_FAILS(run_task(task_called("cora-gcn"), o, "test"), "has no cora.split");
}

// A short run on the real data: the paper's 81.5 % takes 200 steps.
TEST_F(GraphTasks, LearnCora) {
  SKIP_WITH_SANITIZERS();
  const std::string data = STRATA_SHARED("cora");
  TaskOptions o = options("cora");
  o.data = data;
  o.steps = 40;
  EXPECT_GT(run_task(task_called("cora-gcn"), o, "test").scores.at(0).value, 70);
}

}  // namespace
}  // namespace strata::train
