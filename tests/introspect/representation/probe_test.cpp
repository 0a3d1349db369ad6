// Probes against what convexity promises.
#include "tools/introspect/representation/probe.h"

#include <gtest/gtest.h>

#include <cmath>

#include "engine/ops.h"

namespace strata::introspect {
namespace {

struct Clouds {
  Tensor x;
  std::vector<int64_t> labels;
};

// Two Gaussian clouds in `dimensions`, `distance` apart along the first axis.
Clouds two_clouds(int64_t n, int64_t dimensions, double distance, uint64_t seed) {
  Generator generator(seed);
  Tensor x = randn({n, dimensions}, 0, 1, DType::f64, &generator);
  std::vector<int64_t> labels;
  double* data = x.data<double>();
  for (int64_t i = 0; i < n; ++i) {
    labels.push_back(i % 2);
    data[i * dimensions] += i % 2 ? distance / 2 : -distance / 2;
  }
  return {x, labels};
}

TEST(Probe, ReachesTheSameOptimumFromAnyStart) {
  auto train = two_clouds(200, 5, 1.0, 1);
  ProbeTask task{"side", 2, train.labels, train.labels};
  ProbeOptions options{.l2 = 1e-2, .max_iterations = 20000, .tolerance = 1e-10};
  auto from_zero = fit_probes(train.x, train.x, {task}, options)[0];
  Generator generator(3);
  Tensor start = randn({6, 2}, 0, 3, DType::f64, &generator);
  auto from_noise = fit_probes(train.x, train.x, {task}, options, start)[0];
  EXPECT_LT(from_zero.gradient, 1e-10);
  EXPECT_LT(max(abs(from_zero.weight - from_noise.weight)).item(), 1e-6);
}

TEST(Probe, IsInvariantToRotationOfTheFeatures) {
  auto train = two_clouds(150, 2, 1.5, 2);
  double c = std::cos(0.7), s = std::sin(0.7);
  Tensor rotation = from_vector(std::vector<double>{c, -s, s, c}, {2, 2});
  ProbeTask task{"side", 2, train.labels, train.labels};
  ProbeOptions options{.l2 = 1e-2, .max_iterations = 20000, .tolerance = 1e-10};
  auto plain = fit_probes(train.x, train.x, {task}, options)[0];
  Tensor turned = matmul(train.x, rotation);
  auto rotated = fit_probes(turned, turned, {task}, options)[0];
  EXPECT_NEAR(plain.train_loss, rotated.train_loss, 1e-9);
  EXPECT_LT(max(abs(matmul(rotation, rotated.weight) - plain.weight)).item(), 1e-6);
}

TEST(Probe, FindsTheBayesRateOfTwoGaussians) {
  auto train = two_clouds(4000, 4, 2.0, 4), validation = two_clouds(4000, 4, 2.0, 5);
  ProbeTask task{"side", 2, train.labels, validation.labels};
  auto result = fit_probes(train.x, validation.x, {task})[0];
  double bayes = 0.5 * std::erfc(-1.0 / std::sqrt(2.0));  // Phi(distance / 2)
  EXPECT_NEAR(result.validation_accuracy, bayes, 3 * std::sqrt(bayes * (1 - bayes) / 4000));
}

TEST(Probe, StaysAtChanceOnShuffledLabels) {
  auto train = two_clouds(2000, 8, 3.0, 6), validation = two_clouds(2000, 8, 3.0, 7);
  Generator generator(8);
  auto shuffled = randint(0, 2, {2000}, DType::i64, &generator).to_vector<int64_t>();
  auto held_out = randint(0, 2, {2000}, DType::i64, &generator).to_vector<int64_t>();
  ProbeTask task{"noise", 2, shuffled, held_out};
  auto result = fit_probes(train.x, validation.x, {task})[0];
  EXPECT_NEAR(result.validation_accuracy, 0.5, 0.04);
}

TEST(Probe, SolvesSeveralTasksAsIfAlone) {
  auto train = two_clouds(300, 3, 1.0, 9);
  std::vector<int64_t> three;
  for (size_t i = 0; i < 300; ++i) three.push_back(static_cast<int64_t>(i % 3));
  ProbeTask a{"a", 2, train.labels, train.labels}, b{"b", 3, three, three};
  ProbeOptions options{.l2 = 1e-2, .max_iterations = 20000, .tolerance = 1e-10};
  auto both = fit_probes(train.x, train.x, {a, b}, options);
  auto alone = fit_probes(train.x, train.x, {b}, options);
  EXPECT_LT(max(abs(both[1].weight - alone[0].weight)).item(), 1e-6);
}

TEST(Probe, RefusesLabelsOutOfRange) {
  auto train = two_clouds(10, 2, 1.0, 10);
  train.labels[3] = 2;
  ProbeTask task{"side", 2, train.labels, train.labels};
  EXPECT_THROW(fit_probes(train.x, train.x, {task}), Error);
}

}  // namespace
}  // namespace strata::introspect
