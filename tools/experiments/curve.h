// Curves over seeds: at each place the mean, with its 95 % bootstrap interval as the band.
#pragma once

#include "tools/draw/figure.h"
#include "tools/experiments/statistics.h"

namespace strata::experiments {

// Goes on with the curve at x: `values` are those of the seeds, at least one.
inline void add_mean(draw::Curve& curve, double x, const std::vector<double>& values) {
  const Interval interval = bootstrap_mean(values);
  curve.x.push_back(x);
  curve.y.push_back(mean(values));
  curve.low.push_back(interval.low);
  curve.high.push_back(interval.high);
}

}  // namespace strata::experiments
