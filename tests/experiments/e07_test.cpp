// E7: the variance of SGD at rest against its closed form, the fit that asks what decides, the
// thresholds one by one, and planted lies.
#include <gtest/gtest.h>

#include "tests/support/expect.h"
#include "tools/experiments/batch_noise.h"
#include "tools/experiments/list.h"

namespace strata::experiments {
namespace {

TEST(Quadratic, VarianceOfTheFormula) {
  EXPECT_NEAR(stationary_variance({0.1, 1, 1, 1}), 0.1 / 1.9, 1e-15);
  EXPECT_NEAR(stationary_variance({0.1, 1, 8, 1}), 0.00658, 1e-5);
  EXPECT_NEAR(stationary_variance({0.5, 2, 4, 1}), 0.0625, 1e-15);
  EXPECT_FAILS(stationary_variance({1, 2, 4, 1}), "rate 1 times curvature 2 must lie between");
}

TEST(Quadratic, SgdComesToRestThere) {
  Generator generator(5);
  for (const Quadratic& q : {Quadratic{0.1, 1, 1, 1}, Quadratic{0.1, 1, 8, 1},
                             Quadratic{0.5, 2, 4, 1}, Quadratic{0.3, 4, 2, 3}}) {
    const double exact = stationary_variance(q);
    EXPECT_NEAR(measured_variance(q, 10000, 8, generator) / exact, 1, 0.03) << q.rate;
  }
}

TEST(Parabola, ExplainsWhatItCan) {
  EXPECT_NEAR(parabola_r2({1, 2, 3, 4, 5}, {1, 4, 9, 16, 25}), 1, 1e-12);
  // Symmetric x, antisymmetric cube: the line of slope 17/5 is the best.
  EXPECT_NEAR(parabola_r2({-2, -1, 0, 1, 2}, {-8, -1, 0, 1, 8}), 3.4 * 3.4 * 10 / 130, 1e-12);
  EXPECT_EQ(parabola_r2({1, 2, 3, 4}, {5, 5, 5, 5}), 0);
}

Json good_seed() {
  Json seed = Json::parse(R"({
    "quadratic": {"exact": [0.05, 0.006, 0.06], "measured": [0.0505, 0.00606, 0.0594]},
    "grid": {"loss": [1], "r2_noise": 0.9, "r2_batch": 0.5},
    "gap": {"small": 0.55, "same_epochs": 0.45, "same_steps": 0.5, "rate": 0.4, "small_loss": 0.1,
            "same_epochs_loss": 0.9, "same_steps_loss": 0.1, "log2_top": 1, "log2_adaptive": 0.5,
            "log2_top_same_rate": 1, "log2_adaptive_same_rate": 1,
            "loss_there": [0.019, 0.02, 0.018], "rescaled": {"top": 9, "adaptive": 1.001}}})");
  for (int i = 0; i < 16; ++i) {
    seed["grid"]["log2_noise"].push_back(i);
    seed["grid"]["log2_batch"].push_back(i % 4);
    seed["grid"]["test"].push_back(0.4 + 0.01 * i);
  }
  return seed;
}

Result judged(const std::function<void(Json&)>& change = [](Json&) {}) {
  Json seed = good_seed();
  change(seed);
  return batch_noise().judge({seed, seed, seed}, Budget::small);
}

TEST(Judge, EachThresholdCounts) {
  EXPECT_EQ(judged().verdict, Verdict::supported) << judged().why;
  const std::vector<std::pair<const char*, std::function<void(Json&)>>> changes = {
      {"variance at rest", [](Json& s) { s["quadratic"]["measured"][1] = 0.0063; }},
      {"gain of rate / batch", [](Json& s) { s["grid"]["r2_batch"] = 0.75; }},
      {"gap at the same epochs", [](Json& s) { s["gap"]["same_epochs"] = 0.545; }},
      {"gap at the same steps", [](Json& s) { s["gap"]["same_steps"] = 0.56; }},
      {"large batch ends sharper", [](Json& s) { s["gap"]["log2_top"] = 0; }},
      {"sharper in units of the weights", [](Json& s) { s["gap"]["log2_adaptive"] = -1; }}};
  for (const auto& [name, change] : changes) {
    const Result r = judged(change);
    EXPECT_EQ(r.verdict, Verdict::in_part) << name;
    EXPECT_NE(r.why.find(std::string("5 of 6 thresholds met; missed: ") + name), std::string::npos)
        << name << ": " << r.why;
  }
}

TEST(Judge, ADifferenceMustHoldOverSeeds) {
  Json large = good_seed(), none = good_seed();
  large["gap"]["log2_top"] = 3;
  none["gap"]["log2_top"] = -1;
  const Result r = batch_noise().judge({large, none, none, large}, Budget::small);
  EXPECT_EQ(r.verdict, Verdict::in_part);
  EXPECT_NE(r.why.find("missed: large batch ends sharper"), std::string::npos) << r.why;
}

TEST(Judge, AControlThatFailsExcludesNothing) {
  const std::vector<std::function<void(Json&)>> changes = {
      [](Json& s) { s["gap"]["same_steps_loss"] = 1.2; },
      [](Json& s) { s["gap"]["rescaled"]["adaptive"] = 1.5; },
      [](Json& s) { s["gap"]["loss_there"][1] = 0.005; },
      [](Json& s) { s["grid"]["test"] = std::vector<double>(16, 0.26); }};
  for (size_t i = 0; i < changes.size(); ++i)
    EXPECT_EQ(judged(changes[i]).verdict, Verdict::not_supported) << i;
}

TEST(Lies, AreCaught) {
  Context context;
  context.lie = Lie::moving_layers;
  EXPECT_FAILS(batch_noise().run_seed(context), "freezes no layers");
  context.lie = Lie::untrained;
  const Json seed = batch_noise().run_seed(context);
  EXPECT_EQ(seed.at("grid").at("r2_batch"), 0);  // sixteen times the same network
  const Result r = batch_noise().judge({seed, seed}, Budget::small);
  EXPECT_EQ(r.verdict, Verdict::not_supported) << r.why;
}

}  // namespace
}  // namespace strata::experiments
