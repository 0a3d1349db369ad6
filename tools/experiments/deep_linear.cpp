#include "tools/experiments/deep_linear.h"

#include <algorithm>
#include <cmath>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "engine/optim/optimizer.h"
#include "tools/introspect/linear_algebra.h"

namespace strata::experiments {

double mode_strength(double s, double a0, double t) {
  return s / (1 + (s / a0 - 1) * std::exp(-2 * s * t));
}

double half_rise_time(double s, double a0) { return std::log(s / a0 - 1) / (2 * s); }

ModeCurves train_linear(const std::vector<double>& modes, double a0, double learning_rate,
                        int64_t steps, Generator& generator) {
  const auto count = static_cast<int64_t>(modes.size()), d = 2 * count;
  auto basis = [&] {
    return introspect::orthonormal_basis(randn({d, count}, 0, 1, DType::f64, &generator));
  };
  const Tensor u = basis(), v = basis();
  const Tensor hidden =
      introspect::orthonormal_basis(randn({count, count}, 0, 1, DType::f64, &generator));
  const Tensor target = matmul(u * from_vector(modes, {count}), transpose(v, 0, 1));
  const double root = std::sqrt(a0);
  const Tensor first = (matmul(hidden, transpose(v, 0, 1)) * root).clone().set_requires_grad();
  const Tensor second = (matmul(u, transpose(hidden, 0, 1)) * root).clone().set_requires_grad();
  SGD sgd(std::vector<Tensor>{first, second}, {.learning_rate = learning_rate});
  ModeCurves curves;
  curves.strength.resize(modes.size());
  for (int64_t step = 0; step <= steps; ++step) {
    const Tensor map = matmul(second, first);
    {
      NoGrad off;
      const Tensor seen = matmul(transpose(u, 0, 1), matmul(map, v));
      const auto values = seen.contiguous().to_vector<double>();
      curves.time.push_back(learning_rate * static_cast<double>(step));
      for (size_t i = 0; i < modes.size(); ++i)
        curves.strength[i].push_back(values[i * modes.size() + i]);
    }
    sgd.zero_grad();
    (sum(square(map - target)) * 0.5).backward();
    sgd.step();
  }
  return curves;
}

double half_rise(const std::vector<double>& x, const std::vector<double>& y) {
  const double middle = (y.front() + y.back()) / 2;
  const double up = y.back() >= y.front() ? 1 : -1;
  for (size_t i = 1; i < y.size(); ++i) {
    if (up * (y[i] - middle) < 0) continue;
    if (y[i] == y[i - 1]) return x[i];
    return x[i - 1] + (x[i] - x[i - 1]) * (middle - y[i - 1]) / (y[i] - y[i - 1]);
  }
  return x.back();
}

double time_between(const std::vector<double>& x, const std::vector<double>& y, double low,
                    double high) {
  double total = 0;
  for (size_t i = 1; i < y.size(); ++i) {
    const double a = std::min(y[i - 1], y[i]), b = std::max(y[i - 1], y[i]), dx = x[i] - x[i - 1];
    if (a == b)
      total += a >= low && a <= high ? dx : 0;
    else
      total += dx * std::max(0.0, std::min(b, high) - std::max(a, low)) / (b - a);
  }
  return total;
}

}  // namespace strata::experiments
