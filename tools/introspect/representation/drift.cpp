#include "tools/introspect/representation/drift.h"

#include <algorithm>
#include <cmath>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "tools/introspect/linear_algebra.h"
#include "tools/introspect/representation/distances.h"

namespace strata::introspect {
namespace {

Tensor kernel(const Tensor& x, const Tensor& y, double bandwidth) {
  return exp(squared_distances(x, y) * (-1 / (2 * bandwidth * bandwidth)));
}
// Mean kernel value of different rows.
double mean_within(const Tensor& x, double bandwidth) {
  double n = static_cast<double>(x.size(0));
  // The diagonal is 1 but for rounding; it is taken out as it was computed.
  Tensor k = kernel(x, x, bandwidth), same = eye(x.size(0), x.dtype());
  return (sum(k).item() - sum(k * same).item()) / (n * (n - 1));
}
// Mean kernel value of each row of x with the rows of y: [m].
Tensor means_between(const Tensor& x, const Tensor& y, double bandwidth) {
  return mean(kernel(x, y, bandwidth), {1});
}

void check_rows(const char* op, const Tensor& x, int64_t width, int64_t least) {
  if (x.rank() != 2 || x.size(0) < least || (width > 0 && x.size(1) != width)) {
    fail(op, Caller{}, "rows {} must be [n, {}] with n at least {}", describe(x),
         width > 0 ? std::to_string(width) : "D", least);
  }
}

Tensor half_of(const Tensor& clean, const DriftOptions& options, bool second) {
  check_rows("drift", clean, 0, std::max<int64_t>(4, 4 * options.batch));
  if (options.batch < 2) fail("drift", Caller{}, "a batch of {} rows; it needs 2", options.batch);
  Generator generator(options.seed);
  Tensor order = randperm(clean.size(0), &generator);
  int64_t half = clean.size(0) / 2;
  return index_select(clean, 0,
                      second ? order.slice(0, half, clean.size(0)) : order.slice(0, 0, half));
}

}  // namespace

double squared_mmd(const Tensor& x, const Tensor& y, double bandwidth) {
  NoGrad off;
  check_rows("squared_mmd", x, 0, 2);
  check_rows("squared_mmd", y, x.size(1), 2);
  if (!(bandwidth > 0)) fail("squared_mmd", Caller{}, "the bandwidth is {}", bandwidth);
  return mean_within(x, bandwidth) + mean_within(y, bandwidth) -
         2 * mean(means_between(x, y, bandwidth)).item();
}

Mahalanobis::Mahalanobis(const Tensor& reference, double shrinkage) {
  NoGrad off;
  check_rows("mahalanobis", reference, 0, 2);
  Tensor x = reference.to(DType::f64);
  mean_ = mean(x, {0});
  Tensor centred = x - mean_;
  Tensor covariance = matmul(centred.transpose(0, 1), centred) / static_cast<double>(x.size(0) - 1);
  Tensor same = eye(x.size(1), DType::f64);
  double variance = sum(covariance * same).item() / static_cast<double>(x.size(1));
  if (!(variance > 0)) {
    fail("mahalanobis", Caller{}, "the reference {} is constant", describe(reference));
  }
  inverse_ = inverse_positive(covariance + same * (shrinkage * variance));
}

Tensor Mahalanobis::squared_distances(const Tensor& x) const {
  NoGrad off;
  check_rows("mahalanobis", x, mean_.size(0), 1);
  Tensor centred = x.to(DType::f64) - mean_;
  return sum(matmul(centred, inverse_) * centred, {1});
}

Alarm::Alarm(std::vector<double> clean, double rate) {
  auto m = static_cast<double>(clean.size());
  // Rounding must not push a whole number over its own ceiling.
  auto place = static_cast<size_t>(std::ceil((m + 1) * (1 - rate) - 1e-9));
  if (!(rate > 0 && rate < 1) || place > clean.size()) {
    fail("alarm", Caller{},
         "{} clean scores cannot hold false alarms at {}; give at least {}, rate in (0, 1)",
         clean.size(), rate, rate > 0 && rate < 1 ? std::ceil((1 - rate) / rate) : 1);
  }
  std::sort(clean.begin(), clean.end());
  level_ = clean[std::max<size_t>(place, 1) - 1];
}

DriftMonitor::DriftMonitor(const Tensor& clean, const DriftOptions& options)
    : options_(options),
      reference_(half_of(clean, options, false)),
      distance_(reference_, options.shrinkage) {
  NoGrad off;
  bandwidth_ = median_distance(reference_.slice(0, 0, std::min<int64_t>(reference_.size(0), 1000)));
  if (bandwidth_ == 0) bandwidth_ = 1;
  reference_mean_ = mean_within(reference_, bandwidth_);
  // What a batch's scores are means of, once for all rows.
  Tensor others = half_of(clean, options, true);
  Tensor between = means_between(others, reference_, bandwidth_);
  Tensor distances = distance_.squared_distances(others);
  Generator generator(options.seed + 1);
  std::vector<double> mmds, means;
  for (int64_t i = 0; i < options.calibrations; ++i) {
    Tensor order = randperm(others.size(0), &generator).slice(0, 0, options.batch);
    double within = mean_within(index_select(others, 0, order), bandwidth_);
    mmds.push_back(reference_mean_ + within - 2 * mean(index_select(between, 0, order)).item());
    means.push_back(mean(index_select(distances, 0, order)).item());
  }
  mmd_alarm_ = Alarm(std::move(mmds), options.rate);
  mahalanobis_alarm_ = Alarm(std::move(means), options.rate);
}

DriftReport DriftMonitor::score(const Tensor& rows) const {
  NoGrad off;
  check_rows("drift", rows, reference_.size(1), 2);
  auto judged = [](double value, const Alarm& alarm) {
    return DriftScore{value, alarm.level(), alarm.rings(value)};
  };
  double mmd = reference_mean_ + mean_within(rows, bandwidth_) -
               2 * mean(means_between(rows, reference_, bandwidth_)).item();
  double mahalanobis = mean(distance_.squared_distances(rows)).item();
  return {judged(mmd, mmd_alarm_), judged(mahalanobis, mahalanobis_alarm_)};
}

std::vector<DriftReport> DriftMonitor::observe(const Tensor& rows) {
  NoGrad off;
  check_rows("drift", rows, reference_.size(1), 0);
  Tensor all = waiting_.defined() ? concatenate({waiting_, rows}) : rows;
  std::vector<DriftReport> reports;
  int64_t first = 0;
  for (; first + options_.batch <= all.size(0); first += options_.batch) {
    reports.push_back(score(all.slice(0, first, first + options_.batch)));
  }
  waiting_ = all.slice(0, first, all.size(0)).clone();
  return reports;
}

}  // namespace strata::introspect
