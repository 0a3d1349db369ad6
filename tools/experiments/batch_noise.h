// What the noise of mini-batches does, in the case where theory gives it exactly, and the fit that
// asks which quantity a score depends on. For E7.
#pragma once

#include <vector>

#include "engine/ops/random.h"

namespace strata::experiments {

// SGD on h w^2 / 2 whose gradient at each example is h w + s x, x standard normal, in batches of B:
// w <- (1 - eta h) w - eta s (mean of B x). At rest
//   var w = eta s^2 / (B h (2 - eta h))                    for 0 < eta h < 2
struct Quadratic {
  double rate = 0.1;     // eta
  double curvature = 1;  // h
  int64_t batch = 1;     // B
  double deviation = 1;  // s
};
// A rate at which descent diverges is an error.
double stationary_variance(const Quadratic& problem, Caller at = Caller::here());
// The same by running `chains` independent descents from 0 with the engine's SGD: the mean square
// of w over the chains, over `readings` times spaced so that a chain has forgotten the last.
double measured_variance(const Quadratic& problem, int64_t chains, int readings,
                         Generator& generator);

// Share of the variance of y that a parabola in x explains (least squares).
double parabola_r2(const std::vector<double>& x, const std::vector<double>& y);

}  // namespace strata::experiments
