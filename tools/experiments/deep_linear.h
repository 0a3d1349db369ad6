// A linear network of two layers, whose learning is known in closed form (Saxe, McClelland and
// Ganguli 2014, "Exact solutions to the nonlinear dynamics of learning in deep linear neural
// networks"): gradient flow on 1/2 |W2 W1 - S|^2, from weights aligned with the singular vectors of
// S and balanced, learns each singular value s on its own from a0,
//   a(t) = s e^(2st) / (e^(2st) - 1 + s / a0),  half of it at t = ln(s / a0 - 1) / (2s),
// in steps: nothing seems to happen, then a mode appears, the strongest first.
#pragma once

#include <vector>

#include "engine/ops/random.h"

namespace strata::experiments {

double mode_strength(double s, double a0, double t);
double half_rise_time(double s, double a0);

struct ModeCurves {
  std::vector<double> time;                   // learning rate times steps
  std::vector<std::vector<double>> strength;  // a mode, u' W2 W1 v at each time
};
// Plain gradient descent by autograd, f64, on a map with the singular values `modes` and random
// singular vectors of twice as many dimensions.
ModeCurves train_linear(const std::vector<double>& modes, double a0, double learning_rate,
                        int64_t steps, Generator& generator);

// Where a curve first crosses the middle between its first value and its last, between points by a
// straight line; the last x if never. x ascending, as long as y.
double half_rise(const std::vector<double>& x, const std::vector<double>& y);
// How long a curve spends between `low` and `high`, straight lines between its points.
double time_between(const std::vector<double>& x, const std::vector<double>& y, double low,
                    double high);

}  // namespace strata::experiments
