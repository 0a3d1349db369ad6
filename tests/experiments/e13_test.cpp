// Transfer saves data: the factor at equal accuracy from invented curves, its bounds, and a judge
// that a failing control turns.
#include <algorithm>
#include <cmath>

#include "tests/support/expect.h"
#include "tools/experiments/list.h"

namespace strata::experiments {
namespace {

// Sizes are 1, 2, 4, 8, 16 and 64 images a class.
Json pair(const std::vector<double>& frozen, const std::vector<double>& tuned) {
  return {
      {"learned", 90},
      {"shared", 0},
      {"scratch", {15, 20, 30, 40, 50, 70}},
      {"frozen", frozen},
      {"tuned", tuned},
      {"course",
       {{"scratch", {20, 40, 60, 80}}, {"frozen", {60, 81, 82, 82}}, {"tuned", {50, 70, 75, 79}}}}};
}
const std::vector<double> fast = {40, 60, 80, 84, 85, 88}, slow = {15, 20, 30, 40, 60, 75};
Result judged(const Json& near) {
  const Json seed = {{"near", near}, {"far", pair(slow, slow)}};
  return transfer_saves_data().judge({seed, seed, seed}, Budget::small);
}

TEST(TransferSavesData, InterpolatesBetweenSizes) {
  // Scratch has 70 with 64 images; the frozen network has 60 with 2 and 80 with 4, so half of the
  // way in log2: 64 / 2^1.5.
  const Result r = judged(pair(fast, slow));
  EXPECT_EQ(r.verdict, Verdict::supported) << r.why;
  EXPECT_NEAR(r.measures[0].per_seed[0], std::log10(64 / std::exp2(1.5)), 1e-12);
  // Far: 75 with 64, 60 with 16: two thirds of the way.
  EXPECT_NEAR(r.measures[1].per_seed[0], std::log10(64 / std::exp2(4 + 2 * 2.0 / 3)), 1e-12);
  // Scratch ends at 80 after four looks; the frozen network has that at its second, the tuned
  // never.
  const auto measure = [&](const std::string& name) {
    return std::find_if(r.measures.begin(), r.measures.end(),
                        [&](const Measure& m) { return m.name == name; })
        ->per_seed[0];
  };
  EXPECT_NEAR(measure("fewer steps, near, frozen"), std::log10(4.0 / 2), 1e-12);
  EXPECT_NEAR(measure("fewer steps, near, tuned"), std::log10(4.0 / 5), 1e-12);
  EXPECT_GT(draw::render(r.pictures[0].figure).width, 0);
}

TEST(TransferSavesData, NeedsTenTimesFewer) {
  const Result r = judged(pair({15, 20, 40, 72, 74, 76}, slow));  // 64 / 7.6
  EXPECT_EQ(r.verdict, Verdict::not_supported);
  EXPECT_NEAR(r.measures[0].per_seed[0], std::log10(64 / std::exp2(2 + 30.0 / 32)), 1e-12);
}

TEST(TransferSavesData, OneImageIsABound) {
  const Result r = judged(pair({71, 72, 73, 74, 75, 76}, slow));
  EXPECT_NEAR(r.measures[0].per_seed[0], std::log10(64), 1e-12);
  EXPECT_TRUE(r.controls[2].measured.starts_with("3 of 3 seeds are at that bound"));
}

TEST(TransferSavesData, NeverThereIsNoSaving) {
  const std::vector<double> flat(6, 30);
  EXPECT_NEAR(judged(pair(flat, flat)).measures[0].per_seed[0], std::log10(0.5), 1e-12);
}

TEST(TransferSavesData, ControlsThatFailRefuteIt) {
  Json near = pair(fast, slow);
  near["shared"] = 1;
  EXPECT_EQ(judged(near).verdict, Verdict::not_supported);
  near = pair(fast, slow);
  near["learned"] = 20;
  EXPECT_EQ(judged(near).verdict, Verdict::not_supported);
  near = pair(fast, slow);
  near["scratch"] = std::vector<double>(6, 25);  // learns nothing from more images
  EXPECT_EQ(judged(near).verdict, Verdict::not_supported);
}

}  // namespace
}  // namespace strata::experiments
