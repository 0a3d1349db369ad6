// Drift: whether what a layer shows now is still what it showed on clean data, without labels.
//
// Scores of a batch of features against a reference sample:
//   MMD^2        the squared distance of the two means in the space of a Gaussian kernel, unbiased:
//                0 on average without a shift (Gretton et al. 2012, "A kernel two-sample test");
//   Mahalanobis  mean of (x - m)' C^-1 (x - m) with the reference's mean and covariance, D on
//   average
//                without a shift (Lee et al. 2018): chi-squared for Gaussian features;
//   CKA          1 - debiased CKA between features of the same inputs, clean and shifted: for
//   probes
//                whose inputs are kept (similarity.h).
// A score means nothing without an alarm level. Levels come from clean batches: the m scores of
// clean batches and a new one are exchangeable, so the level is the ceil((m + 1)(1 - rate))-th
// smallest, and a clean batch rings with a probability of at most `rate` (Vovk et al. 2005,
// conformal prediction).
#pragma once

#include <cstdint>
#include <vector>

#include "engine/tensor/tensor.h"

namespace strata::introspect {

// Unbiased squared MMD of x [m, D] and y [n, D], m and n at least 2, for the kernel
// exp(-|a - b|^2 / (2 bandwidth^2)); may be negative. Cost 2 (m + n)^2 D FLOPs.
double squared_mmd(const Tensor& x, const Tensor& y, double bandwidth);

// Mean and inverse covariance of a reference sample.
class Mahalanobis {
 public:
  // reference [n, D], n at least 2; `shrinkage` of the mean variance is added to each, so that
  // directions the reference does not fill are not divided by 0.
  explicit Mahalanobis(const Tensor& reference, double shrinkage = 1e-3);
  // Squared distances of the rows of x [m, D]: [m], f64.
  Tensor squared_distances(const Tensor& x) const;

 private:
  Tensor mean_, inverse_;
};

// A level for scores that are high when something is wrong.
class Alarm {
 public:
  Alarm() = default;
  // `clean`: scores of clean batches, at least (1 - rate) / rate of them, or no level holds the
  // rate.
  Alarm(std::vector<double> clean, double rate);
  double level() const { return level_; }
  bool rings(double score) const { return score > level_; }

 private:
  double level_ = 0;
};

struct DriftOptions {
  int64_t batch = 100;  // rows scored together
  double rate = 0.05;   // false alarms, a score
  double shrinkage = 1e-3;
  uint64_t seed = 1;  // of the order in which clean rows are dealt into batches
  int64_t calibrations = 200;
};
struct DriftScore {
  double value = 0, level = 0;
  bool alarm = false;
};
struct DriftReport {
  DriftScore mmd, mahalanobis;
};

// Watches a layer. Half of the clean rows are the reference, the other half calibrates the alarms:
// `calibrations` batches drawn from it without replacement within a batch. (They share rows, so the
// rate is approximate when that half holds few batches.) Give it some tens of dimensions, not
// thousands (project() in features.h): a covariance of more dimensions than reference rows says
// little, and costs D^3. A batch of m rows costs 2 m n D + 2 m D^2 FLOPs.
class DriftMonitor {
 public:
  // clean [n, D], n at least 4 batches; row order does not matter.
  explicit DriftMonitor(const Tensor& clean, const DriftOptions& options = {});
  // Adds rows of the stream, [m, D] for any m; a report for each batch that they complete. Rows
  // that are left wait for the next call.
  std::vector<DriftReport> observe(const Tensor& rows);
  // Scores one set of rows [m, D], m at least 2, at the alarm levels of `batch` rows.
  DriftReport score(const Tensor& rows) const;
  double bandwidth() const { return bandwidth_; }

 private:
  DriftOptions options_;
  Tensor reference_, waiting_;
  double bandwidth_ = 1, reference_mean_ = 0;  // mean kernel value within the reference
  Mahalanobis distance_;
  Alarm mmd_alarm_, mahalanobis_alarm_;
};

}  // namespace strata::introspect
