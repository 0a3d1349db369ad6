#include "tools/experiments/batch_noise.h"

#include <cmath>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "engine/optim/optimizer.h"
#include "tools/introspect/linear_algebra.h"

namespace strata::experiments {

double stationary_variance(const Quadratic& q, Caller at) {
  const double contraction = q.rate * q.curvature;
  if (!(contraction > 0 && contraction < 2))
    fail("stationary_variance", at, "rate {:g} times curvature {:g} must lie between 0 and 2",
         q.rate, q.curvature);
  return q.rate * q.deviation * q.deviation /
         (static_cast<double>(q.batch) * q.curvature * (2 - contraction));
}

double measured_variance(const Quadratic& q, int64_t chains, int readings, Generator& generator) {
  const double forgets = std::abs(1 - q.rate * q.curvature);
  // Steps after which e^-5 of a value is left; half as many squares.
  const int apart = forgets < 1e-3 ? 1 : static_cast<int>(std::ceil(-5 / std::log(forgets)));
  Tensor w = zeros({chains}, DType::f64).set_requires_grad();
  SGD sgd(std::vector<Tensor>{w}, {.learning_rate = q.rate});
  double total = 0;
  for (int reading = 0; reading < readings; ++reading) {
    for (int step = 0; step < apart; ++step) {
      const Tensor examples = randn({q.batch, chains}, 0, q.deviation, DType::f64, &generator);
      sgd.zero_grad();
      (sum(square(w)) * (q.curvature / 2) + sum(w * mean(examples, {0}))).backward();
      sgd.step();
    }
    total += mean(square(w.detach())).item();
  }
  return total / readings;
}

double parabola_r2(const std::vector<double>& x, const std::vector<double>& y) {
  const auto n = static_cast<int64_t>(x.size());
  const Tensor column = from_vector(x, {n});
  const Tensor centred = column - mean(column);
  const Tensor basis = stack({ones_like(centred), centred, square(centred)}, 1);
  const Tensor values = from_vector(y, {n});
  const Tensor turned = basis.transpose(0, 1);
  const Tensor weights = matmul(introspect::inverse(matmul(turned, basis)), matmul(turned, values));
  const double all = sum(square(values - mean(values))).item();
  return all > 0 ? 1 - sum(square(values - matmul(basis, weights))).item() / all : 0;
}

}  // namespace strata::experiments
