// Random numbers: Philox against its published vectors, the same bits for any thread count,
// distributions, and the state of generators.
#include "engine/ops/random.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "kernels/common/parallel.h"
#include "kernels/random/philox.h"

namespace strata {
namespace {

// The vectors that come with the authors' Random123 library (kat_vectors, philox4x32 10).
TEST(Philox, MatchesThePublishedVectors) {
  using Words = std::array<uint32_t, 4>;
  EXPECT_EQ(Philox(0)({0, 0, 0, 0}), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  uint32_t f = 0xffffffff;
  EXPECT_EQ(Philox(~uint64_t{0})({f, f, f, f}),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(Philox(0x299f31d0a4093822u)({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

// Every kind of draw, large enough for several threads, from one seed.
std::vector<double> everything_drawn() {
  manual_seed(42);
  std::vector<double> all;
  auto keep = [&](const Tensor& t) {
    auto values = t.to_vector<double>();
    all.insert(all.end(), values.begin(), values.end());
  };
  for (DType dtype : {DType::f64, DType::f32, DType::bf16, DType::f16}) {
    keep(rand({100003}, -1, 2, dtype));
    keep(randn({100003}, 0, 1, dtype));
  }
  keep(randint(-7, 100, {100003}));
  keep(randperm(10007));
  keep(bernoulli({300007}, 0.3));
  keep(dropout(ones({300007}), 0.4));
  keep(multinomial(rand({20011, 5})));
  return all;
}

TEST(RandomNumbers, AreTheSameForAnyThreadCount) {
  int before = thread_count();
  set_thread_count(1);
  std::vector<double> one = everything_drawn();
  for (int threads : {2, 5}) {
    set_thread_count(threads);
    EXPECT_EQ(everything_drawn(), one) << threads << " threads";
  }
  set_thread_count(before);
}

// Bits that must never change, on any machine, or every recorded run would mean something else.
// (That they are right is shown by random_rows.cpp, whose oracle is independent.)
TEST(RandomNumbers, AreGolden) {
  Generator generator(2024);
  auto bits = [](const Tensor& t) {
    std::vector<uint32_t> words;
    for (float v : t.to_vector<float>()) words.push_back(std::bit_cast<uint32_t>(v));
    return words;
  };
  EXPECT_EQ(bits(randn({4}, 0, 1, DType::f32, &generator)),
            (std::vector<uint32_t>{0xbdef725e, 0x3f7f7398, 0x3e1c1895, 0x3db4ee90}));
  EXPECT_EQ(bits(rand({4}, 0, 1, DType::f32, &generator)),
            (std::vector<uint32_t>{0x3eb14c28, 0x3edf2d88, 0x3f65dc8a, 0x3eed87e0}));
}

TEST(RandomNumbers, DoNotDependOnHowManyAreDrawn) {
  Generator a(5), b(5);
  auto few = randn({10}, 0, 1, DType::f32, &a).to_vector<float>();
  auto many = randn({1000}, 0, 1, DType::f32, &b).to_vector<float>();
  EXPECT_TRUE(std::equal(few.begin(), few.end(), many.begin()));
}

TEST(RandomNumbers, StateResumes) {
  Generator a(5);
  rand({13}, 0, 1, DType::f32, &a);
  GeneratorState state = a.state();
  auto next = rand({13}, 0, 1, DType::f32, &a).to_vector<float>();
  Generator b(0);
  b.set_state(state);
  EXPECT_EQ(rand({13}, 0, 1, DType::f32, &b).to_vector<float>(), next);
  EXPECT_NE(rand({13}, 0, 1, DType::f32, &b).to_vector<float>(), next);
}

// Mean, variance, skewness and excess kurtosis of n draws.
std::array<double, 4> moments(const std::vector<double>& values) {
  double n = static_cast<double>(values.size()), m[5] = {};
  double mean = std::accumulate(values.begin(), values.end(), 0.0) / n;
  for (double v : values) {
    for (int k = 2; k <= 4; ++k) m[k] += std::pow(v - mean, k) / n;
  }
  return {mean, m[2], m[3] / std::pow(m[2], 1.5), m[4] / (m[2] * m[2]) - 3};
}

// Bounds are five standard errors: sqrt(1/n), sqrt(2/n), sqrt(6/n), sqrt(24/n).
TEST(RandomNumbers, NormalsHaveTheMomentsOfANormal) {
  constexpr double n = 200000;
  Generator generator(11);
  for (DType dtype : {DType::f64, DType::f32, DType::f16}) {
    auto [mean, variance, skewness, excess] =
        moments(randn({static_cast<int64_t>(n)}, 0, 1, dtype, &generator).to_vector<double>());
    EXPECT_NEAR(mean, 0, 5 * std::sqrt(1 / n));
    EXPECT_NEAR(variance, 1, 5 * std::sqrt(2 / n));
    EXPECT_NEAR(skewness, 0, 5 * std::sqrt(6 / n));
    EXPECT_NEAR(excess, 0, 5 * std::sqrt(24 / n));
  }
}

// Neighbours in a pair of Box and Muller, and in the sequence, are uncorrelated.
TEST(RandomNumbers, NormalsAreUncorrelated) {
  Generator generator(12);
  auto x = randn({200000}, 0, 1, DType::f32, &generator).to_vector<double>();
  for (size_t lag : {1, 2, 3, 4, 8}) {
    double sum = 0;
    for (size_t i = 0; i + lag < x.size(); ++i) sum += x[i] * x[i + lag];
    EXPECT_NEAR(sum / static_cast<double>(x.size()), 0, 5 / std::sqrt(200000.0)) << "lag " << lag;
  }
}

// Pearson's statistic of counts that should be equal; its mean is cells - 1, its deviation
// sqrt(2 (cells - 1)).
void expect_even(const std::vector<int64_t>& counts) {
  double total = static_cast<double>(std::accumulate(counts.begin(), counts.end(), int64_t{0}));
  double cells = static_cast<double>(counts.size()), expected = total / cells, statistic = 0;
  for (int64_t count : counts) {
    double excess = static_cast<double>(count) - expected;
    statistic += excess * excess / expected;
  }
  EXPECT_NEAR(statistic, cells - 1, 5 * std::sqrt(2 * (cells - 1)));
}

TEST(RandomNumbers, UniformIsEven) {
  Generator generator(13);
  for (DType dtype : {DType::f64, DType::f32}) {
    std::vector<int64_t> counts(64);
    for (double v : rand({200000}, -2, 6, dtype, &generator).to_vector<double>()) {
      ASSERT_GE(v, -2);
      ASSERT_LT(v, 6);
      ++counts[static_cast<size_t>((v + 2) * 8)];
    }
    expect_even(counts);
  }
}

TEST(RandomNumbers, UniformNeverReachesHigh) {
  Generator generator(14);
  for (DType dtype : {DType::f64, DType::f32, DType::bf16, DType::f16}) {
    for (auto [low, high] : {std::pair(0.0, 1.0), std::pair(-1.0, 0.0), std::pair(1.0, 1.25)}) {
      for (double v : rand({100000}, low, high, dtype, &generator).to_vector<double>()) {
        ASSERT_LT(v, high) << name_of(dtype);
        ASSERT_GE(v, low) << name_of(dtype);
      }
    }
  }
}

TEST(RandomNumbers, IntegersAreEven) {
  Generator generator(15);
  std::vector<int64_t> counts(37);
  for (int64_t v : randint(-9, 28, {200000}, DType::i64, &generator).to_vector<int64_t>()) {
    ASSERT_TRUE(v >= -9 && v < 28);
    ++counts[static_cast<size_t>(v + 9)];
  }
  expect_even(counts);
}

TEST(RandomNumbers, IntegersCoverWideRanges) {
  Generator generator(16);
  int64_t low = INT64_MIN / 2 - 5, high = INT64_MAX / 2 + 5, below = 0;
  auto values = randint(low, high, {10000}, DType::i64, &generator).to_vector<int64_t>();
  for (int64_t v : values) {
    ASSERT_TRUE(v >= low && v < high);
    below += v < 0;
  }
  EXPECT_NEAR(static_cast<double>(below), 5000, 250);
}

// All 24 orders of four are equally likely.
TEST(RandomNumbers, PermutationsAreEven) {
  Generator generator(17);
  std::vector<int64_t> counts(24);
  for (int i = 0; i < 24000; ++i) {
    auto p = randperm(4, &generator).to_vector<int64_t>();
    int64_t rank = 0;
    for (size_t j = 0; j < 4; ++j) {
      int64_t smaller = 0;
      for (size_t k = j + 1; k < 4; ++k) smaller += p[k] < p[j];
      rank = rank * static_cast<int64_t>(4 - j) + smaller;
    }
    ++counts[static_cast<size_t>(rank)];
  }
  expect_even(counts);
}

TEST(RandomNumbers, BernoulliHitsItsProbability) {
  Generator generator(18);
  for (double p : {0.0, 0.1, 0.5, 1.0}) {
    double hits = 0;
    for (double v : bernoulli({200000}, p, &generator).to_vector<double>()) hits += v;
    EXPECT_NEAR(hits / 200000, p, 5 * std::sqrt(p * (1 - p) / 200000));
  }
}

TEST(RandomNumbers, ChoicesFollowTheWeights) {
  Generator generator(19);
  Tensor weights = from_vector<double>({1, 0, 3, 4}, {4}).expand({80000, 4});
  std::vector<int64_t> counts(4);
  for (int64_t v : multinomial(weights, &generator).to_vector<int64_t>()) {
    ++counts[static_cast<size_t>(v)];
  }
  EXPECT_EQ(counts[1], 0) << "a weight of 0 is never drawn";
  for (size_t c : {0u, 2u, 3u}) {
    double p = c == 0 ? 0.125 : c == 2 ? 0.375 : 0.5;
    EXPECT_NEAR(static_cast<double>(counts[c]) / 80000, p, 5 * std::sqrt(p * (1 - p) / 80000));
  }
}

TEST(Dropout, TheGradientHasTheMaskOfTheForwardPass) {
  Generator generator(20);
  Tensor x = full({1000}, 2.0);
  x.set_requires_grad();
  Tensor y = dropout(x, 0.25, true, &generator);
  Tensor g = grad(sum(y), x);
  auto forward = y.to_vector<double>(), backward = g.to_vector<double>();
  for (size_t i = 0; i < forward.size(); ++i) EXPECT_EQ(forward[i], 2 * backward[i]);
  double kept = 0;
  for (double v : backward) kept += v != 0;
  EXPECT_NEAR(kept / 1000, 0.75, 0.07);
}

TEST(Dropout, DropsNanAndInfinity) {
  Tensor x = full({1000}, INFINITY);
  for (double v : dropout(x, 0.5).to_vector<double>()) EXPECT_TRUE(v == 0 || std::isinf(v));
}

}  // namespace
}  // namespace strata
