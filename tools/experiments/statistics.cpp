#include "tools/experiments/statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <stdexcept>

namespace strata::experiments {
namespace {

void need(bool condition, const char* message) {
  if (!condition) throw std::invalid_argument(message);
}

// Share of sign patterns whose |sum| is at least that of the differences as they are.
double sign_flip_p(const std::vector<double>& differences) {
  const size_t n = differences.size();
  const double observed = std::abs(std::accumulate(differences.begin(), differences.end(), 0.0));
  const double nearly = observed * (1 - 1e-12);  // equal sums in another order of additions
  auto reaches = [&](uint64_t signs) {
    double sum = 0;
    for (size_t i = 0; i < n; ++i) sum += (signs >> i & 1) ? -differences[i] : differences[i];
    return std::abs(sum) >= nearly;
  };
  if (n <= 20) {
    const uint64_t patterns = uint64_t{1} << n;
    uint64_t count = 0;
    for (uint64_t signs = 0; signs < patterns; ++signs) count += reaches(signs);
    return static_cast<double>(count) / static_cast<double>(patterns);
  }
  need(n <= 64, "paired: at most 64 pairs");
  constexpr int draws = 100'000;
  std::mt19937_64 generator(1);
  int count = 1;  // the pattern at hand is one of them
  for (int i = 0; i < draws; ++i) count += reaches(generator());
  return static_cast<double>(count) / (draws + 1);
}

}  // namespace

double mean(const std::vector<double>& values) {
  need(!values.empty(), "mean of no values");
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double deviation(const std::vector<double>& values) {
  if (values.size() < 2) return 0;
  const double m = mean(values);
  double sum = 0;
  for (double v : values) sum += (v - m) * (v - m);
  return std::sqrt(sum / static_cast<double>(values.size() - 1));
}

Interval bootstrap_mean(const std::vector<double>& values, uint64_t seed) {
  need(!values.empty(), "bootstrap_mean of no values");
  constexpr size_t resamples = 10'000;
  std::mt19937_64 generator(seed);
  std::vector<double> means(resamples);
  for (double& m : means) {
    double sum = 0;
    for (size_t i = 0; i < values.size(); ++i) sum += values[generator() % values.size()];
    m = sum / static_cast<double>(values.size());
  }
  std::sort(means.begin(), means.end());
  return {means[resamples / 40], means[resamples - 1 - resamples / 40]};
}

Paired paired(const std::vector<double>& a, const std::vector<double>& b) {
  need(!a.empty() && a.size() == b.size(), "paired: two lists of the same length, one pair a seed");
  std::vector<double> differences(a.size());
  for (size_t i = 0; i < a.size(); ++i) differences[i] = a[i] - b[i];
  Paired result;
  result.difference = mean(differences);
  result.interval = bootstrap_mean(differences);
  const double spread = deviation(differences);
  result.effect = spread > 0 ? result.difference / spread
                  : result.difference == 0
                      ? 0
                      : std::copysign(std::numeric_limits<double>::infinity(), result.difference);
  result.p = sign_flip_p(differences);
  return result;
}

std::vector<double> holm(const std::vector<double>& p) {
  std::vector<size_t> order(p.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t i, size_t j) { return p[i] < p[j]; });
  std::vector<double> adjusted(p.size());
  double largest = 0;
  for (size_t rank = 0; rank < order.size(); ++rank) {
    const double scaled = p[order[rank]] * static_cast<double>(p.size() - rank);
    largest = std::max(largest, std::min(1.0, scaled));
    adjusted[order[rank]] = largest;
  }
  return adjusted;
}

double kendall(const std::vector<double>& a, const std::vector<double>& b) {
  need(a.size() == b.size(), "kendall: two lists of the same length");
  double agree = 0, pairs_a = 0, pairs_b = 0;
  for (size_t i = 0; i < a.size(); ++i)
    for (size_t j = 0; j < i; ++j) {
      const int x = (a[i] > a[j]) - (a[i] < a[j]), y = (b[i] > b[j]) - (b[i] < b[j]);
      agree += x * y;
      pairs_a += x != 0;
      pairs_b += y != 0;
    }
  return pairs_a * pairs_b > 0 ? agree / std::sqrt(pairs_a * pairs_b) : 0;
}

Line fit_line(const std::vector<double>& x, const std::vector<double>& y) {
  need(x.size() == y.size() && x.size() >= 2,
       "fit_line: two lists of the same length, two points at least");
  const double mx = mean(x), my = mean(y);
  double xx = 0, xy = 0, yy = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    xx += (x[i] - mx) * (x[i] - mx);
    xy += (x[i] - mx) * (y[i] - my);
    yy += (y[i] - my) * (y[i] - my);
  }
  need(xx > 0, "fit_line: all x are equal");
  Line line;
  line.slope = xy / xx;
  line.intercept = my - line.slope * mx;
  line.r2 = yy > 0 ? xy * xy / (xx * yy) : 1;
  return line;
}

}  // namespace strata::experiments
