// The tasks on terrace-text and terrace-sequence, a few steps each: every score they promise, with
// its yardstick; and what a tree of layers learns that a fully connected network does not.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>

#include "tests/support/expect.h"
#include "tools/train/domains.h"
#include "tools/train/trainer.h"

namespace strata::train {
namespace {

namespace fs = std::filesystem;

TaskResult run(const std::vector<TaskEntry>& entries, const std::string& name, int64_t steps,
               const nlohmann::json& model) {
  TaskOptions o;
  o.out = fs::temp_directory_path() / ("strata_terrace_tasks_" + std::to_string(getpid()));
  o.force = true;
  o.steps = steps;
  o.model = model;
  for (const TaskEntry& entry : entries) {
    if (entry.name != name) continue;
    const TaskResult result = run_task(entry, o, "test");
    fs::remove_all(o.out);
    return result;
  }
  ADD_FAILURE() << "no task " << name;
  return {};
}

// Counts of pairs of words see the wrong noun next to the verb: they are worse than chance where
// an attractor stands between, and nearly always right where none does.
TEST(TerraceTextTasks, ScoreAgreementBesideCounts) {
  const nlohmann::json small = {{"width", 16}, {"heads", 2}, {"layers", 1}};
  for (const char* name : {"terrace-gpt", "terrace-bert"}) {
    const TaskResult result = run(terrace_text_tasks(), name, 3, small);
    ASSERT_GE(result.scores.size(), 6u);
    EXPECT_EQ(result.scores[0].name, "agreement past attractors");
    EXPECT_LT(result.scores[0].yardstick, 40);
    EXPECT_EQ(result.scores[1].name, "agreement, no attractor");
    EXPECT_GT(result.scores[1].yardstick, 95);
    const Score& perplexity = result.scores[5];
    EXPECT_FALSE(perplexity.higher_is_better);
    EXPECT_NEAR(perplexity.value, 234, 60) << "hardly trained: every word as likely";
  }
}

// The entropy of the grammar is below what counts reach, by far.
TEST(TerraceTextTasks, PerplexityStandsBetweenCountsAndTheGrammar) {
  const TaskResult result =
      run(terrace_text_tasks(), "terrace-gpt", 1, {{"width", 16}, {"heads", 2}, {"layers", 1}});
  const double counts = result.scores[5].yardstick, grammar = result.scores[6].value;
  EXPECT_NEAR(grammar, 6.4, 0.3);
  EXPECT_GT(counts, 1.5 * grammar);
  EXPECT_LT(counts, 40);
}

TEST(TerraceSequenceTask, ATreeLearnsWhatAFullyConnectedNetworkDoesNot) {
  SKIP_WITH_SANITIZERS();
  const TaskResult result = run(terrace_sequence_tasks(), "terrace-sequence", 300, nullptr);
  EXPECT_GT(result.scores[0].value, 55);
  EXPECT_LT(result.scores[0].yardstick, result.scores[0].value - 15);
  EXPECT_GT(result.scores[1].value, 40);
  EXPECT_FAILS(run(terrace_sequence_tasks(), "terrace-sequence", 1, {{"depth", 2}}),
               "has no option 'depth'; it takes levels");
}

}  // namespace
}  // namespace strata::train
