// Robustness and complexity: closed forms of explanations that are constant, linear, sparse, even.
#include "tools/introspect/scores/robustness.h"

#include <gtest/gtest.h>

#include <cmath>

#include "engine/ops.h"
#include "tests/introspect/networks.h"
#include "tests/support/expect.h"
#include "tools/introspect/attribution/gradient.h"
#include "tools/introspect/scores/complexity.h"

namespace strata::introspect {
namespace {

using namespace test;
using strata::test::expect_near;
using strata::test::values;

const std::vector<int64_t> targets{0, 1};

TEST(Robustness, AConstantExplanationIsNotSensitive) {
  Method constant = [](const Scores&, const Tensor& x, const std::vector<int64_t>&) {
    return ones_like(x);
  };
  Tensor x = random({2, 5, 3}, 1);
  Sensitivity got = sensitivity(constant, RecurrentNetwork{}, x, targets);
  EXPECT_EQ(max(got.largest).item(), 0);
  EXPECT_EQ(max(got.average).item(), 0);
  // The gradient of a linear model is constant too.
  Scores model = [](const Tensor& x) { return linear(x.flatten(1), random({2, 15}, 2)); };
  EXPECT_LT(max(sensitivity(gradient_saliency, model, x, targets).largest).item(), 1e-14);
}

// phi(x) = x: |d| / |x|, at most radius sqrt(d) / |x|, and in the mean square radius sqrt(d / 3).
TEST(Robustness, TheInputItselfMovesAsMuchAsTheInput) {
  Method input = [](const Scores&, const Tensor& x, const std::vector<int64_t>&) { return x; };
  Tensor x = random({2, 20, 10}, 3);
  Sensitivity got = sensitivity(input, Scores{}, x, {}, {.radius = 0.1, .samples = 20});
  for (int64_t n = 0; n < 2; ++n) {
    double size = norm(x.select(0, n)).item();
    EXPECT_LE(got.largest.select(0, n).item(), 0.1 * std::sqrt(200) / size);
    EXPECT_NEAR(got.average.select(0, n).item(), 0.1 * std::sqrt(200 / 3.0) / size,
                0.05 * 0.1 * std::sqrt(200 / 3.0) / size);
    EXPECT_GE(got.largest.select(0, n).item(), got.average.select(0, n).item());
  }
}

TEST(Robustness, EveryFamilyAloneAndTogether) {
  const std::pair<Scores, Tensor> families[] = {{ConvNetwork{}, random({2, 8, 8, 2}, 4)},
                                                {RecurrentNetwork{}, random({2, 5, 3}, 5)},
                                                {GraphNetwork{}, random({2, 5, 3}, 6)},
                                                {AttentionNetwork{}, random({2, 6, 8}, 7)}};
  for (const auto& [model, x] : families) {
    Sensitivity both = sensitivity(gradient_times_input, model, x, targets, {.samples = 3});
    Sensitivity one =
        sensitivity(gradient_times_input, model, x.slice(0, 1, 2), {1}, {.samples = 3});
    EXPECT_NEAR(one.largest.item(), both.largest.select(0, 1).item(), 1e-12);
    EXPECT_GT(min(both.average).item(), 0);
  }
}

TEST(Robustness, Refuses) {
  Tensor x = random({2, 5, 3}, 8);
  EXPECT_FAILS(sensitivity(gradient_saliency, RecurrentNetwork{}, x, targets, {.samples = 0}),
               "0 samples");
}

TEST(Complexity, OneInputAndAll) {
  Tensor one_input = from_vector(std::vector<double>{0, 0, -3, 0, 0, 0, 0, 0}, {1, 2, 4});
  Tensor even = from_vector(std::vector<double>{2, -2, 2, 2, -2, 2, 2, 2}, {1, 2, 4});
  Tensor both = concatenate({one_input, even, zeros_like(even)});
  expect_near(values(entropy_complexity(both)), {0, std::log(8), std::log(8)});
  expect_near(values(gini_sparseness(both)), {1 - 1.0 / 8, 0, 0});
}

// Shares .1 .2 .3 .4; the Gini index of 1, 2, ..., n is (n - 1) / (3 n) (n + 1) / (n + 1) = 1/4.
TEST(Complexity, AStaircase) {
  Tensor stairs = from_vector(std::vector<float>{3, 1, -4, 2}, {1, 4});
  expect_near(values(gini_sparseness(stairs)), {0.25}, 1e-7);
  double entropy = 0;
  for (double p : {0.1, 0.2, 0.3, 0.4}) entropy -= p * std::log(p);
  expect_near(values(entropy_complexity(stairs)), {entropy}, 1e-7);
  expect_near(values(gini_sparseness(stairs * 5.0)), {0.25}, 1e-7);
  EXPECT_FAILS(gini_sparseness(zeros({3})), "no attribution");
}

}  // namespace
}  // namespace strata::introspect
