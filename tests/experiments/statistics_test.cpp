// The statistics against closed forms and published examples.
#include "tools/experiments/statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <stdexcept>

namespace strata::experiments {
namespace {

TEST(Statistics, MeansAndDeviations) {
  EXPECT_DOUBLE_EQ(mean({1, 2, 3, 6}), 3);
  EXPECT_DOUBLE_EQ(deviation({1, 2, 3, 6}), std::sqrt(14.0 / 3));
  EXPECT_EQ(deviation({5}), 0);
  EXPECT_THROW(mean({}), std::invalid_argument);
}

TEST(Statistics, BootstrapIntervals) {
  const Interval same = bootstrap_mean({2, 2, 2});
  EXPECT_EQ(same.low, 2);
  EXPECT_EQ(same.high, 2);
  // 0 and 1 with equal chance, 100 of them: the mean of a resample has deviation .05.
  std::vector<double> coins(100);
  for (size_t i = 0; i < coins.size(); ++i) coins[i] = i % 2 ? 1 : 0;
  const Interval wide = bootstrap_mean(coins);
  EXPECT_NEAR(wide.low, 0.5 - 1.96 * 0.05, 0.012);
  EXPECT_NEAR(wide.high, 0.5 + 1.96 * 0.05, 0.012);
  // Covers the truth about as often as it says: 40 normal values, 200 times.
  std::mt19937_64 generator(3);
  std::normal_distribution<double> normal(1, 2);
  int covered = 0;
  for (int trial = 0; trial < 200; ++trial) {
    std::vector<double> values(40);
    for (double& v : values) v = normal(generator);
    const Interval i = bootstrap_mean(values, static_cast<uint64_t>(trial));
    covered += i.low <= 1 && 1 <= i.high;
  }
  EXPECT_GE(covered, 180);  // .93 of 200, less two deviations
  EXPECT_LE(covered, 198);
}

TEST(Statistics, PairsBySignFlips) {
  // All of five differences positive: of 32 sign patterns two are as extreme.
  const Paired five = paired({2, 3, 4, 5, 6}, {1, 1, 1, 1, 1});
  EXPECT_DOUBLE_EQ(five.difference, 3);
  EXPECT_DOUBLE_EQ(five.p, 2.0 / 32);
  EXPECT_NEAR(five.effect, 3 / std::sqrt(2.5), 1e-12);
  EXPECT_DOUBLE_EQ(paired({1, 2}, {1, 2}).p, 1);
  EXPECT_EQ(paired({1, 2}, {1, 2}).effect, 0);
  EXPECT_TRUE(std::isinf(paired({2, 3}, {1, 2}).effect));
  EXPECT_THROW(paired({1}, {1, 2}), std::invalid_argument);
  // Many pairs are drawn: 25 equal differences are as extreme as almost no pattern.
  EXPECT_LT(paired(std::vector<double>(25, 1), std::vector<double>(25, 0)).p, 1e-3);
}

TEST(Statistics, HolmIsStepDown) {
  const std::vector<double> adjusted = holm({0.01, 0.04, 0.03, 0.005});
  EXPECT_NEAR(adjusted[3], 0.02, 1e-12);
  EXPECT_NEAR(adjusted[0], 0.03, 1e-12);
  EXPECT_NEAR(adjusted[2], 0.06, 1e-12);
  EXPECT_NEAR(adjusted[1], 0.06, 1e-12);
  EXPECT_EQ(holm({0.9, 0.8})[0], 1);
}

TEST(Statistics, KendallAndLines) {
  EXPECT_DOUBLE_EQ(kendall({1, 2, 3, 4}, {10, 20, 30, 40}), 1);
  EXPECT_DOUBLE_EQ(kendall({1, 2, 3, 4}, {4, 3, 2, 1}), -1);
  EXPECT_DOUBLE_EQ(kendall({1, 2, 3}, {1, 3, 2}), 1.0 / 3);
  EXPECT_DOUBLE_EQ(kendall({1, 1, 2}, {1, 2, 3}), 2 / std::sqrt(6.0));  // tau-b with a tie
  EXPECT_EQ(kendall({1, 1}, {1, 2}), 0);
  const Line line = fit_line({0, 1, 2}, {1, 3, 5});
  EXPECT_DOUBLE_EQ(line.slope, 2);
  EXPECT_DOUBLE_EQ(line.intercept, 1);
  EXPECT_DOUBLE_EQ(line.r2, 1);
  EXPECT_NEAR(fit_line({0, 1, 2}, {0, 1, 0}).r2, 0, 1e-15);
  EXPECT_THROW(fit_line({1, 1}, {0, 1}), std::invalid_argument);
}

}  // namespace
}  // namespace strata::experiments
