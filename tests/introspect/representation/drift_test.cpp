// Drift scores against closed forms, and their alarms against the rate they promise.
#include "tools/introspect/representation/drift.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/introspect/networks.h"
#include "tests/introspect/representation/clouds.h"
#include "tests/support/expect.h"
#include "tools/introspect/capture.h"
#include "tools/introspect/representation/features.h"
#include "tools/introspect/representation/shape.h"
#include "tools/introspect/representation/similarity.h"

namespace strata::introspect {
namespace {

using test::gaussian;

// For x ~ N(0, 1), y ~ N(mu, 1) in d dimensions and bandwidth s, E k(x, y) is
// (s^2 / (s^2 + 2))^(d/2) exp(-|mu|^2 / (2 (s^2 + 2))), so
// MMD^2 = 2 (s^2 / (s^2 + 2))^(d/2) (1 - exp(-|mu|^2 / (2 (s^2 + 2)))).
double gaussian_mmd(int64_t d, double shift, double s) {
  double spread = s * s + 2;
  return 2 * std::pow(s * s / spread, static_cast<double>(d) / 2) *
         (1 - std::exp(-shift * shift / (2 * spread)));
}
// Moves the first coordinate.
Tensor shifted(const Tensor& x, double by) {
  return concatenate({x.slice(1, 0, 1) + by, x.slice(1, 1, x.size(1))}, 1);
}

TEST(Mmd, IsTheClosedFormOfTwoGaussians) {
  for (auto [d, shift, s] : {std::tuple<int64_t, double, double>{1, 1.0, 1.0}, {3, 2.0, 1.5}}) {
    double total = 0, squares = 0;
    const int draws = 400;
    for (uint64_t i = 0; i < draws; ++i) {
      Tensor x = gaussian(40, d, 100 + 2 * i), y = shifted(gaussian(40, d, 101 + 2 * i), shift);
      double value = squared_mmd(x, y, s);
      total += value / draws;
      squares += value * value / draws;
    }
    double error = std::sqrt((squares - total * total) / draws);
    EXPECT_NEAR(total, gaussian_mmd(d, shift, s), 3 * error);
    EXPECT_LT(3 * error, 0.1 * gaussian_mmd(d, shift, s));
  }
}

TEST(Mmd, IsUnbiasedWithoutAShift) {
  // 200 draws of 20 rows: the biased estimator would stand near (2 - 2 E k) / 20 = 0.04.
  double total = 0, squares = 0;
  const int draws = 200;
  for (uint64_t i = 0; i < draws; ++i) {
    double value = squared_mmd(gaussian(20, 2, 1000 + 2 * i), gaussian(20, 2, 1001 + 2 * i), 1);
    total += value / draws;
    squares += value * value / draws;
  }
  double error = std::sqrt((squares - total * total) / draws);
  EXPECT_NEAR(total, 0, 3 * error);
  EXPECT_LT(3 * error, 0.01);
}

TEST(Mmd, EqualsTheSumOverPairs) {
  Tensor x = gaussian(6, 3, 1), y = gaussian(5, 3, 2) + 0.5;
  auto k = [](const Tensor& a, const Tensor& b) {
    return std::exp(-sum(square(a - b)).item() / 8);
  };
  double xx = 0, yy = 0, xy = 0;
  for (int64_t i = 0; i < 6; ++i) {
    for (int64_t j = 0; j < 6; ++j) {
      if (i != j) xx += k(x.select(0, i), x.select(0, j)) / 30;
      if (j < 5) xy += k(x.select(0, i), y.select(0, j)) / 30;
      if (i != j && i < 5 && j < 5) yy += k(y.select(0, i), y.select(0, j)) / 20;
    }
  }
  EXPECT_NEAR(squared_mmd(x, y, 2), xx + yy - 2 * xy, 1e-12);
  EXPECT_NEAR(squared_mmd(x.to(DType::f32), y.to(DType::f32), 2), xx + yy - 2 * xy, 1e-5);
  EXPECT_FAILS(squared_mmd(x, y, 0), "bandwidth is 0");
  EXPECT_FAILS(squared_mmd(x, gaussian(5, 2, 1), 1), "must be \\[n, 3\\]");
}

TEST(MahalanobisDistance, IsChiSquaredOnGaussianData) {
  // A correlated cloud; whatever the covariance, d^2 has mean d and variance 2 d.
  Tensor mixing = gaussian(5, 5, 3);
  Mahalanobis distance(matmul(gaussian(4000, 5, 4), mixing) + 3.0, 1e-9);
  Tensor d2 = distance.squared_distances(matmul(gaussian(4000, 5, 5), mixing) + 3.0);
  EXPECT_NEAR(mean(d2).item(), 5, 3 * std::sqrt(10.0 / 4000) + 0.02);
  EXPECT_NEAR(var(d2).item(), 10, 1.2);
  // P(chi^2_5 > 11.07) = 0.05.
  double tail = mean(greater(d2, scalar(11.07, DType::f64)).to(DType::f64)).item();
  EXPECT_NEAR(tail, 0.05, 3 * std::sqrt(0.05 * 0.95 / 4000));
}

TEST(MahalanobisDistance, OfTheReferenceItselfAveragesToItsDimensions) {
  // sum_i (x_i - m)' C^-1 (x_i - m) = (n - 1) tr(C^-1 C) = (n - 1) d.
  Tensor x = gaussian(50, 4, 6);
  EXPECT_NEAR(sum(Mahalanobis(x, 0).squared_distances(x)).item(), 49 * 4, 1e-8);
  EXPECT_FAILS(Mahalanobis(ones({9, 2})), "f32\\[9,2\\] is constant");
}

TEST(Alarms, LevelIsTheConformalQuantile) {
  std::vector<double> scores;
  for (int i = 1; i <= 99; ++i) scores.push_back(i);
  Alarm alarm(scores, 0.05);
  EXPECT_EQ(alarm.level(), 95);  // ceil(100 x 0.95)
  EXPECT_FALSE(alarm.rings(95));
  EXPECT_TRUE(alarm.rings(95.5));
  EXPECT_FAILS(Alarm({1, 2, 3}, 0.05), "3 clean scores cannot hold false alarms at 0.05.*19");
}

TEST(Alarms, RingFalselyAsOftenAsTheySay) {
  int rings = 0, trials = 0;
  for (uint64_t i = 0; i < 200; ++i) {
    Alarm alarm(gaussian(39, 1, 3000 + i).to_vector<double>(), 0.1);
    for (double v : gaussian(20, 1, 7000 + i).to_vector<double>()) rings += alarm.rings(v);
    trials += 20;
  }
  // Scores of one alarm are not independent: the level itself varies, by 0.047 an alarm.
  EXPECT_NEAR(static_cast<double>(rings) / trials, 0.1,
              3 * std::sqrt(0.09 / trials + 0.0023 / 200));
}

DriftOptions quick() {
  DriftOptions options;
  options.batch = 25;
  options.calibrations = 100;
  return options;
}

TEST(DriftMonitor, HoldsItsFalseAlarmsAndSeesShifts) {
  Tensor clean = gaussian(1000, 4, 7);
  DriftMonitor monitor(clean, quick());
  auto share = [&](const Tensor& rows) {
    double mmd = 0, mahalanobis = 0;
    auto reports = monitor.observe(rows);
    for (auto& r : reports) {
      mmd += r.mmd.alarm;
      mahalanobis += r.mahalanobis.alarm;
    }
    double count = static_cast<double>(reports.size());
    return std::pair{mmd / count, mahalanobis / count};
  };
  auto fresh = share(gaussian(5000, 4, 8));  // 200 clean batches: three standard errors are 0.046
  EXPECT_LT(fresh.first, 0.05 + 0.046);
  EXPECT_LT(fresh.second, 0.05 + 0.046);
  auto moved = share(shifted(gaussian(1000, 4, 9), 1.5));
  EXPECT_GT(moved.first, 0.95);
  auto wider = share(gaussian(1000, 4, 10) * 1.6);
  EXPECT_GT(wider.second, 0.95);
}

TEST(DriftMonitor, StreamsInAnyPortions) {
  Tensor clean = gaussian(300, 3, 11), stream = gaussian(110, 3, 12);
  DriftMonitor whole(clean, quick()), parts(clean, quick());
  auto once = whole.observe(stream);
  ASSERT_EQ(once.size(), 4u);
  std::vector<DriftReport> pieces;
  int64_t first = 0;
  for (int64_t last : {3, 3, 60, 61, 110}) {
    for (auto& r : parts.observe(stream.slice(0, first, last))) pieces.push_back(r);
    first = last;
  }
  ASSERT_EQ(pieces.size(), 4u);
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(pieces[i].mmd.value, once[i].mmd.value);
    EXPECT_EQ(pieces[i].mahalanobis.value, once[i].mahalanobis.value);
  }
  EXPECT_NEAR(once[0].mmd.value, whole.score(stream.slice(0, 0, 25)).mmd.value, 1e-15);
  EXPECT_FAILS(whole.observe(gaussian(5, 4, 1)), "f64\\[5,4\\] must be \\[n, 3\\]");
  EXPECT_FAILS(DriftMonitor(gaussian(50, 3, 1), quick()), "n at least 100");
}

TEST(DriftMonitor, LeavesTheUsersRandomNumbersAlone) {
  manual_seed(5);
  auto before = default_generator().state();
  DriftMonitor monitor(gaussian(300, 3, 13), quick());
  monitor.observe(gaussian(60, 3, 14));
  EXPECT_EQ(default_generator().state().seed, before.seed);
  EXPECT_EQ(default_generator().state().offset, before.offset);
}

// Each family's hidden features of its own inputs, clean and with noise of growing size: scores
// must rise with severity, and CKA to the clean features must fall.
template <class Network>
void rises_with_severity(const char* layer, const Dims& row) {
  Network network;
  NoGrad off;
  auto features = [&](const Tensor& x) {
    Capture capture({layer});
    network(x);
    return pooled_features(capture[layer], 2).to(DType::f64);
  };
  auto inputs = [&](int64_t n, uint64_t seed) {
    Dims shape = row;
    shape.insert(0, n);
    return test::random(shape, seed);
  };
  DriftMonitor monitor(features(inputs(400, 1)), quick());
  Tensor x = inputs(100, 2), noise = inputs(100, 3), clean = features(x);
  std::vector<double> severity, mmd, mahalanobis, cka, harmless;
  for (uint64_t i = 0; i < 19; ++i) {
    harmless.push_back(1 - linear_cka(clean, features(x + inputs(100, 10 + i) * 0.1)));
  }
  Alarm cka_alarm(harmless, 0.05);
  for (double s : {0.5, 1.0, 1.5, 2.0, 3.0}) {
    Tensor now = features(x + noise * s);
    DriftReport report = monitor.score(now);
    severity.push_back(s);
    mmd.push_back(report.mmd.value);
    mahalanobis.push_back(report.mahalanobis.value);
    cka.push_back(1 - linear_cka(clean, now));
    if (s == 3.0) {
      EXPECT_TRUE(report.mmd.alarm) << layer;
      EXPECT_TRUE(report.mahalanobis.alarm) << layer;
      EXPECT_TRUE(cka_alarm.rings(cka.back())) << layer;
    }
  }
  EXPECT_GE(spearman(severity, mmd), 0.9) << layer;
  EXPECT_GE(spearman(severity, mahalanobis), 0.9) << layer;
  EXPECT_GE(spearman(severity, cka), 0.9) << layer;
}

TEST(DriftMonitor, ScoresRiseWithSeverityInConvolutions) {
  rises_with_severity<test::ConvNetwork>("conv2", {8, 8, 2});
}
TEST(DriftMonitor, ScoresRiseWithSeverityInRecurrence) {
  rises_with_severity<test::RecurrentNetwork>("hidden", {5, 3});
}
TEST(DriftMonitor, ScoresRiseWithSeverityInGraphs) {
  rises_with_severity<test::GraphNetwork>("graph2", {5, 3});
}
TEST(DriftMonitor, ScoresRiseWithSeverityInAttention) {
  rises_with_severity<test::AttentionNetwork>("stream", {6, 8});
}

}  // namespace
}  // namespace strata::introspect
