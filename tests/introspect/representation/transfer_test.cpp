// Transfer scores on planted features.
#include "tools/introspect/representation/transfer.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/introspect/representation/clouds.h"
#include "tests/support/expect.h"

namespace strata::introspect {
namespace {

using test::gaussian;
using test::two_clouds;

// Two binary factors: "early" moves the first coordinate, "late" the second; each layer shows one.
struct Planted {
  std::vector<LayerFeatures> layers;
  std::vector<ProbeTask> tasks;
};
Planted planted() {
  auto early = two_clouds(400, 3, 5, 1), late = two_clouds(400, 6, 5, 2);
  // Every other pair of labels, so that the factors are independent.
  std::vector<int64_t> swapped;
  for (size_t i = 0; i < 400; ++i) swapped.push_back(static_cast<int64_t>(i / 2 % 2));
  std::vector<int64_t> rows(400);
  for (size_t i = 0, zero = 0, one = 1; i < 400; ++i) {
    rows[i] = static_cast<int64_t>(swapped[i] ? one : zero);
    (swapped[i] ? one : zero) += 2;
  }
  Tensor second = index_select(late.x, 0, from_vector(rows, {400}));
  auto half = [](const std::vector<int64_t>& v, bool last) {
    return std::vector<int64_t>(v.begin() + (last ? 200 : 0), v.end() - (last ? 0 : 200));
  };
  return {{{"first", early.x.slice(0, 0, 200), early.x.slice(0, 200, 400)},
           {"second", second.slice(0, 0, 200), second.slice(0, 200, 400)}},
          {{"early", 2, half(early.labels, false), half(early.labels, true)},
           {"late", 2, half(swapped, false), half(swapped, true)}}};
}

TEST(Transfer, TableSaysWhichLayerServesWhichTask) {
  auto [layers, tasks] = planted();
  TransferTable table = transfer_scores(layers, tasks);
  EXPECT_EQ(table.layers, (std::vector<std::string>{"first", "second"}));
  EXPECT_EQ(table.tasks, (std::vector<std::string>{"early", "late"}));
  EXPECT_EQ(table.best_layer(0), 0u);
  EXPECT_EQ(table.best_layer(1), 1u);
  for (size_t l : {0, 1}) {
    EXPECT_GT(table.probes[l][l].validation_accuracy, 0.97);
    EXPECT_LT(table.probes[l][1 - l].validation_accuracy, 0.62);
    auto alone = fit_probes(layers[l].train, layers[l].validation, {tasks[l]})[0];
    EXPECT_NEAR(alone.validation_accuracy, table.probes[l][l].validation_accuracy, 0.006);
  }
}

TEST(FewShot, CurveRisesToTheFullProbeAndSparesDrawsNothing) {
  auto train = two_clouds(600, 20, 3, 3), validation = two_clouds(600, 20, 3, 4);
  ProbeTask task{"side", 2, train.labels, validation.labels};
  auto curve = few_shot_curve(train.x, validation.x, task, {1, 4, 16, 300}, 8);
  ASSERT_EQ(curve.size(), 4u);
  for (size_t i = 1; i < 4; ++i) EXPECT_GT(curve[i].mean, curve[i - 1].mean);
  EXPECT_GT(curve[0].deviation, curve[2].deviation);
  // With every example there is only one draw.
  EXPECT_NEAR(curve[3].deviation, 0, 1e-3);
  EXPECT_NEAR(curve[3].mean, fit_probes(train.x, validation.x, {task})[0].validation_accuracy,
              2e-3);
  EXPECT_FAILS(few_shot_curve(train.x, validation.x, task, {301}, 1),
               "301 examples of each of 2 classes of 'side' are wanted, 600 were found");
}

TEST(FewShot, BetterFeaturesNeedFewerShots) {
  auto train = two_clouds(600, 40, 3, 5), validation = two_clouds(600, 40, 3, 6);
  ProbeTask task{"side", 2, train.labels, validation.labels};
  auto all = few_shot_curve(train.x, validation.x, task, {1, 2, 4, 8, 16, 32, 64, 128}, 5);
  auto few = few_shot_curve(train.x.slice(1, 0, 2), validation.x.slice(1, 0, 2), task,
                            {1, 2, 4, 8, 16, 32, 64, 128}, 5);
  EXPECT_GT(shots_to_reach(all, 0.85), 3 * shots_to_reach(few, 0.85));
  EXPECT_EQ(shots_to_reach(all, 1.01), std::numeric_limits<double>::infinity());
  EXPECT_NEAR(shots_to_reach({{1, 0.5, 0}, {4, 0.7, 0}}, 0.6), 2, 1e-12);
  EXPECT_EQ(shots_to_reach({{8, 0.5, 0}}, 0.4), 8);
}

TEST(LogEvidence, IsTheGaussianEvidenceAtItsMaximum) {
  // Against the marginal likelihood itself, y ~ N(0, I / beta + x x' / alpha), searched on a grid:
  // with one feature the covariance has two distinct eigenvalues.
  auto clouds = two_clouds(40, 1, 2, 7);
  std::vector<int64_t> labels = clouds.labels;
  double best = 0, n = 40, xx = sum(square(clouds.x)).item();
  for (int64_t c : {0, 1}) {
    double xy = 0, yy = 0, top = -1e300;
    for (int64_t i = 0; i < 40; ++i) {
      double y = labels[static_cast<size_t>(i)] == c;
      xy += y * clouds.x.data<double>()[i];
      yy += y;
    }
    for (double a = -6; a < 6; a += 0.02) {
      for (double b = -3; b < 5; b += 0.02) {
        double noise = std::exp(-b), along = noise + xx * std::exp(-a);
        double codes = xy * xy / xx;
        double value = -0.5 * (n * std::log(2 * M_PI) + (n - 1) * std::log(noise) +
                               std::log(along) + codes / along + (yy - codes) / noise);
        top = std::max(top, value / n);
      }
    }
    best += top / 2;
  }
  EXPECT_NEAR(log_evidence(clouds.x, {2, labels}), best, 1e-4);
}

TEST(LogEvidence, RanksInformativeFeaturesAboveNoise) {
  auto near = two_clouds(300, 10, 1, 8), far = two_clouds(300, 10, 4, 9);
  Tensor noise = gaussian(300, 10, 10);
  EXPECT_GT(log_evidence(far.x, {2, far.labels}), log_evidence(near.x, {2, near.labels}));
  EXPECT_GT(log_evidence(near.x, {2, near.labels}), log_evidence(noise, {2, near.labels}));
  EXPECT_FAILS(log_evidence(noise, {1, near.labels}), "labels from 0 to 0");
}

TEST(Leep, IsZeroForOneToOneClassesAndTheEntropyForNone) {
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < 60; ++i) labels.push_back(i % 3);
  Tensor sure = one_hot(from_vector(labels, {60}), 3, DType::f64);
  EXPECT_NEAR(leep(sure, {3, labels}), 0, 1e-12);
  EXPECT_NEAR(leep(full({60, 4}, 0.25, DType::f64), {3, labels}), -std::log(3.0), 1e-12);
  // Source classes that merge two of the labels: half of what is left is a coin.
  Tensor merged = concatenate({sure.slice(1, 0, 1) + sure.slice(1, 1, 2), sure.slice(1, 2, 3)}, 1);
  EXPECT_NEAR(leep(merged, {3, labels}), -2.0 / 3 * std::log(2.0), 1e-12);
}

}  // namespace
}  // namespace strata::introspect
