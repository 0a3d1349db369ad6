// E2: closed forms of the linear network, the measures of curves, the verdict's thresholds.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/expect.h"
#include "tools/experiments/deep_linear.h"
#include "tools/experiments/list.h"

namespace strata::experiments {
namespace {

TEST(DeepLinear, ClosedForm) {
  const double expected[] = {0.05317, 1.19718, 1.97573, 1.99955};  // s = 2, a0 = .001
  for (int t = 1; t <= 4; ++t) EXPECT_NEAR(mode_strength(2, 1e-3, t), expected[t - 1], 1e-5);
  EXPECT_NEAR(mode_strength(2, 1e-3, half_rise_time(2, 1e-3)), 1, 1e-12);
  EXPECT_NEAR(half_rise_time(2, 1e-3), 1.900, 1e-3);
  EXPECT_NEAR(mode_strength(3, 0.1, 0), 0.1, 1e-12);
}

TEST(DeepLinear, TrainingFollowsIt) {
  Generator generator(3);
  const ModeCurves curves = train_linear({3, 2}, 1e-2, 2e-3, 1500, generator);
  ASSERT_EQ(curves.time.size(), 1501u);
  for (size_t i = 0; i < curves.time.size(); i += 100) {
    EXPECT_NEAR(curves.strength[0][i], mode_strength(3, 1e-2, curves.time[i]), 0.03) << i;
    EXPECT_NEAR(curves.strength[1][i], mode_strength(2, 1e-2, curves.time[i]), 0.03) << i;
  }
  EXPECT_GT(curves.strength[0][500] / 3, curves.strength[1][500] / 2 + 0.2);
}

TEST(Curves, HalfRiseIsTheFirstCrossing) {
  EXPECT_DOUBLE_EQ(half_rise({0, 10, 20, 30}, {0, 0, 1, 1}), 15);
  EXPECT_DOUBLE_EQ(half_rise({0, 10, 20}, {1, 0.75, 0}), 10 + 10 * 0.25 / 0.75);
  EXPECT_DOUBLE_EQ(half_rise({0, 1, 2, 3}, {0, 0.8, 0.2, 1}), 0.625);
}

TEST(Curves, TimeBetween) {
  EXPECT_DOUBLE_EQ(time_between({0, 10}, {0, 1}, 0.4, 0.6), 2);
  EXPECT_DOUBLE_EQ(time_between({0, 10, 20, 30}, {0, 0.5, 0.5, 1}, 0.4, 0.6), 2 + 10 + 2);
  EXPECT_DOUBLE_EQ(time_between({0, 10}, {0, 0.3}, 0.4, 0.6), 0);
}

Json good_seed() {
  Json seed = Json::parse(R"({
    "step": [0, 1, 2, 4, 8, 16, 30, 60, 90, 100, 120, 160, 400],
    "test": [0.25, 0.25, 0.25, 0.25, 0.25, 0.3, 0.4, 0.48, 0.5, 0.52, 0.8, 0.97, 0.99],
    "outline_above": [0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.7, 0.9, 0.95, 0.97, 0.98, 1, 1],
    "object": [0.3, 0.3, 0.3, 0.3, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.8, 0.97, 0.99],
    "cka": {"conv1": [0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.6, 0.7, 0.8, 0.9, 0.9, 0.95, 1]},
    "cka_null": [0.01], "latin": 0.26,
    "linear": {"half_rise": [], "time": [0, 1], "strength": [[0, 4], [0, 3], [0, 2], [0, 1]]}})");
  for (double s : {4, 3, 2, 1}) seed["linear"]["half_rise"].push_back(half_rise_time(s, 1e-3));
  return seed;
}

Result judged(const std::function<void(Json&)>& change = [](Json&) {}) {
  Json second = good_seed();
  change(second);
  return emergence().judge({good_seed(), second}, Budget::small);
}

TEST(Judge, EachThresholdCounts) {
  EXPECT_EQ(judged().verdict, Verdict::supported) << judged().why;
  const std::vector<std::pair<const char*, std::function<void(Json&)>>> changes = {
      {"object after outline", [](Json& s) { s["object"] = s["outline_above"]; }},
      {"shelf",  // straight through
       [](Json& s) { s["test"] = {0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 1, 1}; }},
      {"latin square", [](Json& s) { s["latin"] = 0.5; }},
      {"linear modes", [](Json& s) { s["linear"]["half_rise"][2] = 2.1; }}};
  for (const auto& [name, change] : changes) {
    const Result r = judged(change);
    EXPECT_EQ(r.verdict, Verdict::in_part) << name;
    EXPECT_NE(r.why.find(std::string("3 of 4 thresholds met; missed: ") + name), std::string::npos)
        << name << ": " << r.why;
  }
}

TEST(Judge, AControlThatFailsExcludesNothing) {
  const std::vector<std::function<void(Json&)>> changes = {
      [](Json& s) { s["test"].back() = 0.6; },  // as of an untrained network or shuffled labels
      [](Json& s) {                             // looks begin when all is over
        for (size_t i = 1; i < 10; ++i) s["step"][i] = 300 + 5 * i;
        s["step"][10] = 380, s["step"][11] = 390;
        s["object"][1] = 0.9;
      },
      [](Json& s) { s["cka_null"][0] = 0.4; }};
  for (size_t i = 0; i < changes.size(); ++i)
    EXPECT_EQ(judged(changes[i]).verdict, Verdict::not_supported) << i;
}

TEST(Lies, FreezeNothing) {
  Context context;
  context.lie = Lie::moving_layers;
  EXPECT_FAILS(emergence().run_seed(context), "freezes no layers");
}

}  // namespace
}  // namespace strata::experiments
