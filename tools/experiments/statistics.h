// What the experiments say with numbers: means over seeds with bootstrap intervals, paired
// comparisons, and the correction for asking several questions at once.
#pragma once

#include <cstdint>
#include <vector>

namespace strata::experiments {

double mean(const std::vector<double>& values);
// Of the sample (divided by n - 1); 0 for one value.
double deviation(const std::vector<double>& values);

struct Interval {
  double low = 0, high = 0;
};
// 95 % bootstrap interval of the mean (Efron 1979, percentiles of 10,000 resamples drawn by
// `seed`). One value: that value twice. No values: an error.
Interval bootstrap_mean(const std::vector<double>& values, uint64_t seed = 1);

// Paired comparison of a with b, one pair a seed.
struct Paired {
  double difference = 0;  // mean of a - b
  Interval interval;      // bootstrap, of that mean
  double effect = 0;  // mean / deviation of the differences (Cohen's d of pairs); infinite where
                      // they are all equal
  double p =
      1;  // two-sided, exact sign-flip test over all 2^n signs (n <= 20), else 100,000 drawn ones
};
// Lists of different or zero length: an error.
Paired paired(const std::vector<double>& a, const std::vector<double>& b);

// Holm 1979: which of the hypotheses are rejected at `level` when all are asked together. Returns
// adjusted p values, in the order given.
std::vector<double> holm(const std::vector<double>& p);

// Kendall's tau-b of two lists of equal length; 0 where one is constant.
double kendall(const std::vector<double>& a, const std::vector<double>& b);

// y = intercept + slope x by least squares, and the share of the variance it explains.
struct Line {
  double intercept = 0, slope = 0, r2 = 0;
};
Line fit_line(const std::vector<double>& x, const std::vector<double>& y);

}  // namespace strata::experiments
