// Activation patching: identities of any model, and the known path through a network made by hand.
#include "tools/introspect/language/patching.h"

#include <gtest/gtest.h>

#include <map>

#include "tests/introspect/language/induction_network.h"
#include "tests/introspect/language/random_gpt.h"
#include "tests/introspect/networks.h"
#include "tests/support/expect.h"
#include "tools/introspect/capture.h"

namespace strata::introspect {
namespace {

using namespace test;
using strata::test::values;

Scores scores_of(Gpt& model) {
  return [&](const Tensor& tokens) { return model(tokens); };
}

TEST(Patching, CleanIntoCleanChangesNothingAndAllOfItIsTheCleanRun) {
  RandomGpt model(1);
  Tensor clean = model.tokens(2), corrupted = model.tokens(3);
  NoGrad off;
  Tensor wanted = model(clean);
  std::vector<std::string> sites = named_activations(model, clean);
  std::map<std::string, std::vector<Tensor>> kept;
  {
    Capture capture(sites);
    model(clean);
    for (auto& name : sites) kept[name] = capture.every(name);
  }
  EXPECT_EQ(kept["blocks.0.dropout"].size(), 2u);  // after the attention, and after the mlp
  for (auto& [name, uses] : kept) {
    for (size_t use = 0; use < uses.size(); ++use) {
      Edit edit(name, patch_from(uses[use]), static_cast<int>(use));
      EXPECT_EQ(largest_difference(model(clean), wanted), 0) << name;
    }
  }
  for (std::string name : {"embedding", "blocks.0", "blocks.1", "norm"}) {
    Edit edit(name, patch_from(kept[name][0]));
    EXPECT_EQ(largest_difference(model(corrupted), wanted), 0) << name;
  }
}

PatchingTask random_task(Gpt& model) {
  Tensor clean = RandomGpt::tokens(2), corrupted = RandomGpt::tokens(3);
  return {scores_of(model), clean, corrupted, logit_difference({1, 2, 3}, {4, 5, 6}, 5)};
}

TEST(Patching, AWholeStreamRestoresEverythingAndWhatComesLaterNothing) {
  RandomGpt model(4);
  PatchingTask task = random_task(model);
  // The whole stream as its only "head".
  PatchSweep whole = patch_heads(task, {"embedding", "blocks.0", "blocks.1"}, 1);
  for (double share : values(whole.restored)) EXPECT_NEAR(share, 1, 1e-10);
  PatchSweep by_position = patch_positions(task, {"embedding", "blocks.1"});
  EXPECT_EQ(by_position.restored.shape(), (Dims{2, 7}));
  auto last = values(by_position.restored.select(0, 1));
  for (size_t t = 0; t < 7; ++t) EXPECT_NEAR(last[t], t == 5 ? 1 : 0, 1e-10);
  EXPECT_NEAR(by_position.restored.select(0, 0).select(0, 6).item(), 0, 1e-10);  // after position 5
}

TEST(Patching, AChangeOfOneTokenEntersAtItsPosition) {
  RandomGpt model(5);
  PatchingTask task = random_task(model);
  task.corrupted = task.clean.clone();
  fill_(task.corrupted.select(1, 2), 9);
  auto restored = values(patch_positions(task, {"embedding"}).restored);
  for (size_t t = 0; t < 7; ++t) EXPECT_NEAR(restored[t], t == 2 ? 1 : 0, 1e-10);
}

TEST(Patching, SweepsAreEditsOneByOneHoweverManyRunTogether) {
  RandomGpt model(6);
  PatchingTask task = random_task(model);
  std::vector<std::string> sites = {"blocks.0.attention", "blocks.0.middle", "blocks.1.mlp"};
  PatchSweep sweep = patch_positions(task, sites);
  task.runs = 3;
  EXPECT_LT(largest_difference(patch_positions(task, sites).restored, sweep.restored), 1e-12);
  task.runs = 1;
  PatchSweep heads = patch_heads(task, {"blocks.1.attention.heads"}, 3);
  EXPECT_EQ(heads.restored.shape(), (Dims{1, 3}));
  PatchSweep values_only = patch_heads(task, {"blocks.1.attention.values"}, 3);
  NoGrad off;
  Capture capture({"blocks.0.middle", "blocks.1.attention.values"});
  model(task.clean);
  Tensor middle = capture["blocks.0.middle"], clean_values = capture["blocks.1.attention.values"];
  auto share = [&] {
    return (task.metric(model(task.corrupted)) - sweep.corrupted) / (sweep.clean - sweep.corrupted);
  };
  for (int64_t t = 0; t < 7; ++t) {
    Edit edit("blocks.0.middle", patch_from(middle, {t}));
    EXPECT_NEAR(sweep.restored.select(0, 1).select(0, t).item(), share(), 1e-12) << t;
  }
  Edit edit("blocks.1.attention.values", [&](const Tensor& v) {
    return concatenate({v.slice(2, 0, 1), clean_values.slice(2, 1, 2), v.slice(2, 2, 3)}, 2);
  });
  EXPECT_NEAR(values_only.restored.select(0, 0).select(0, 1).item(), share(), 1e-12);
}

TEST(Patching, FindsThePathThroughANetworkMadeByHand) {
  InductionNetwork model;
  // 0 3 8 1 3 8 -> 1 against 0 3 8 5 3 8 -> 5: the token at position 3 is what matters; it is in
  // the stream there until head 1.0 takes it to the last position.
  PatchingTask task{scores_of(model), model.tokens({3, 8, 1}, 6), model.tokens({3, 8, 5}, 6),
                    logit_difference({1}, {5})};
  PatchSweep stream = patch_positions(task, {"embedding", "blocks.0", "blocks.1"});
  EXPECT_GT(stream.clean, 1);
  EXPECT_NEAR(stream.corrupted, -stream.clean, 1e-9);
  auto restored = values(stream.restored);
  for (size_t layer = 0; layer < 3; ++layer) {
    for (size_t t = 0; t < 6; ++t) {
      bool here = t == (layer < 2 ? 3u : 5u);
      EXPECT_NEAR(restored[6 * layer + t], here ? 1 : 0, 1e-6) << layer << " " << t;
    }
  }
  PatchSweep heads = patch_heads(task, in_every_block(2, "attention.heads"), 2);
  auto by_head = values(heads.restored);
  EXPECT_EQ(heads.activations[1], "blocks.1.attention.heads");
  for (size_t head = 0; head < 4; ++head) EXPECT_NEAR(by_head[head], head == 2 ? 1 : 0, 1e-6);
}

TEST(Patching, SeesWhereAnyModelReads) {
  AttentionNetwork model;  // reads the last of 6 positions
  PatchingTask task{model, random({2, 6, 8}, 1), random({2, 6, 8}, 2),
                    [](const Tensor& scores) { return sum(scores.select(1, 0)).item(); }};
  auto stream = values(patch_positions(task, {"stream"}).restored);
  for (size_t t = 0; t < 6; ++t) EXPECT_NEAR(stream[t], t == 5 ? 1 : 0, 1e-10);
  EXPECT_EQ(patch_heads(task, {"heads"}, 2).restored.shape(), (Dims{1, 2}));
  GraphNetwork graph;  // positions are nodes; the mean of them is read, and the head is linear
  PatchingTask nodes{graph, random({2, 5, 3}, 3), random({2, 5, 3}, 4),
                     [](const Tensor& scores) { return sum(scores.select(1, 0)).item(); }};
  EXPECT_NEAR(sum(patch_positions(nodes, {"graph2"}).restored).item(), 1, 1e-10);
}

TEST(Patching, RefusesWhatHasNoAnswer) {
  RandomGpt model(7);
  PatchingTask task = random_task(model);
  EXPECT_FAILS(patch_positions(task, {"blocks.9"}), "blocks.9");
  EXPECT_FAILS(patch_heads(task, {"blocks.0"}, 5), "no 5 heads");
  task.corrupted = task.clean;
  EXPECT_FAILS(patch_positions(task, {"blocks.0"}), "nothing to restore");
  RecurrentNetwork recurrent;
  PatchingTask steps{recurrent, random({2, 5, 3}, 1), random({2, 5, 3}, 2),
                     [](const Tensor& scores) { return sum(scores).item(); }};
  EXPECT_FAILS(patch_positions(steps, {"hidden"}), "'hidden' 5 times in a pass");
}

}  // namespace
}  // namespace strata::introspect
