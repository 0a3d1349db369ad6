// Transferability: halves that are what they say, images that are what they say, and a judge that
// turns each number that misses into a measure that misses.
#include <algorithm>
#include <set>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "tests/support/expect.h"
#include "tools/experiments/list.h"
#include "tools/experiments/part_transfer.h"

namespace strata::experiments {
namespace {

std::set<int64_t> outlines(const std::vector<int64_t>& cells) {
  std::set<int64_t> found;
  for (int64_t cell : cells) found.insert(cell / 4);
  return found;
}
std::set<int64_t> textures(const std::vector<int64_t>& cells) {
  std::set<int64_t> found;
  for (int64_t cell : cells) found.insert(cell % 4);
  return found;
}

TEST(PartTasks, NearHalvesShareOutlinesAndTexturesButNoClass) {
  std::set<std::vector<int64_t>> different;
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    const Split2 tasks = near_tasks(seed);
    std::vector<int64_t> all = tasks.a;
    all.insert(all.end(), tasks.b.begin(), tasks.b.end());
    std::sort(all.begin(), all.end());
    for (int64_t cell = 0; cell < part_cells; ++cell)
      EXPECT_EQ(all[static_cast<size_t>(cell)], cell);
    for (const auto& half : {tasks.a, tasks.b}) {
      ASSERT_EQ(half.size(), 8u);
      for (int64_t kind = 0; kind < 4; ++kind) {
        EXPECT_EQ(std::count_if(half.begin(), half.end(), [=](auto c) { return c / 4 == kind; }),
                  2);
        EXPECT_EQ(std::count_if(half.begin(), half.end(), [=](auto c) { return c % 4 == kind; }),
                  2);
      }
    }
    auto sorted = tasks.a;
    std::sort(sorted.begin(), sorted.end());
    different.insert(sorted);
  }
  EXPECT_GE(different.size(), 5u);
}

TEST(PartTasks, FarHalvesShareNothing) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    const Split2 tasks = far_tasks(seed);
    ASSERT_EQ(tasks.a.size(), 4u);
    ASSERT_EQ(tasks.b.size(), 4u);
    for (int64_t kind : outlines(tasks.a)) EXPECT_FALSE(outlines(tasks.b).contains(kind));
    for (int64_t kind : textures(tasks.a)) EXPECT_FALSE(textures(tasks.b).contains(kind));
    EXPECT_EQ(outlines(tasks.a).size() * textures(tasks.a).size(), 4u);
  }
}

TEST(PartImages, AreBalancedRepeatableAndApart) {
  const Parts train = draw_parts(1, Split::train, 3), again = draw_parts(1, Split::train, 3),
              test = draw_parts(1, Split::test, 3);
  EXPECT_EQ(train.x.shape(), (Dims{48, 16, 16, 3}));
  for (int64_t cell = 0; cell < part_cells; ++cell)
    EXPECT_EQ(std::count(train.cell.begin(), train.cell.end(), cell), 3);
  EXPECT_EQ(train.x.to_vector<float>(), again.x.to_vector<float>());
  EXPECT_NE(train.x.to_vector<float>(), test.x.to_vector<float>());
  const LabelledParts two = choose(train, {7, 2}, 2);
  EXPECT_EQ(two.x.size(0), 4);
  size_t row = 0, seven = 0;
  for (; train.cell[row] != 7; ++row) {
  }
  const auto labels = two.y.to_vector<int64_t>();
  for (; labels[seven] != 0; ++seven) {
  }
  EXPECT_EQ(two.x.select(0, static_cast<int64_t>(seven)).contiguous().to_vector<float>(),
            train.x.select(0, static_cast<int64_t>(row)).contiguous().to_vector<float>());
}

TEST(PartTraining, KeepsFrozenLayersAndRefusesTheLie) {
  const Parts parts = draw_parts(1, Split::train, 4);
  const LabelledParts data = choose(parts, {0, 5, 10, 15}, 4);
  const auto from = part_network(4, 1), to = part_network(4, 2);
  copy_up_to(*to, *from, "conv3");
  transfer::Frozen frozen = freeze_up_to(*to, "conv3");
  fit(*to, data, {.steps = 3, .batch = 8}, &frozen);
  const StateDict a = from->state_dict(), b = to->state_dict();
  EXPECT_EQ(a.at("conv3.norm.running_var").to_vector<float>(),
            b.at("conv3.norm.running_var").to_vector<float>());
  EXPECT_NE(a.at("conv4.conv.weight").to_vector<float>(),
            b.at("conv4.conv.weight").to_vector<float>());
  EXPECT_FAILS(fit(*to, data, {.steps = 3, .batch = 8}, &frozen, true),
               "15 of 15 frozen tensors moved");
}

Json good() {
  return {{"near",
           {{"base_a", 90},
            {"base", 90},
            {"BnB", {90, 88, 87, 89}},
            {"BnB+", {90, 90, 90.5, 90}},
            {"AnB", {90, 89, 85, 80}},
            {"AnB+", {91, 91, 91, 91}},
            {"random", {85, 70, 50, 40}}}},
          {"far", {{"base_a", 95}, {"base", 95}, {"AnB", {95, 90, 80, 75}}}},
          {"careless", {{"accuracy", 84}, {"moved", 14}, {"caught", true}}},
          {"checked", 380}};
}
Result judged(const Json& seed) {
  return transferability().judge({seed, seed, seed}, Budget::small);
}

TEST(Transferability, SupportsWhatIsSupported) {
  const Result r = judged(good());
  EXPECT_EQ(r.verdict, Verdict::supported) << r.why;
  EXPECT_EQ(r.measures[2].per_seed, std::vector<double>(3, 10));
  ASSERT_EQ(r.pictures.size(), 1u);
  EXPECT_GT(draw::render(r.pictures[0].figure).width, 0);
}

TEST(Transferability, EveryThresholdFlipsItsMeasure) {
  struct Case {
    const char *pair, *arm;
    std::vector<double> values;
    size_t measure;
  };
  const std::vector<Case> cases = {
      {"near", "AnB", {88, 86, 84, 80}, 0},   {"near", "AnB", {89, 80, 90, 80}, 1},
      {"near", "AnB", {90, 89.5, 89, 88}, 2}, {"far", "AnB", {95, 94, 90, 81}, 3},
      {"near", "BnB+", {92, 92, 92, 92}, 4},  {"near", "random", {85, 90, 50, 40}, 5}};
  for (const Case& c : cases) {
    Json seed = good();
    seed[c.pair][c.arm] = c.values;
    const Result r = judged(seed);
    EXPECT_EQ(r.verdict, Verdict::in_part) << c.measure;
    EXPECT_FALSE(r.measures[c.measure].passed) << c.measure;
  }
}

TEST(Transferability, ControlsThatFailRefuteIt) {
  Json seed = good();
  seed["careless"]["caught"] = false;
  EXPECT_EQ(judged(seed).verdict, Verdict::not_supported);
  seed = good();
  seed["far"]["base"] = 50;
  EXPECT_EQ(judged(seed).verdict, Verdict::not_supported);
  EXPECT_EQ(transferability().judge({good()}, Budget::small).verdict, Verdict::not_supported);
}

}  // namespace
}  // namespace strata::experiments
