#include "engine/nn/init.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/autograd/autograd.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/random.h"

namespace strata::init {
namespace {

void write(const Tensor& weight, const Tensor& values) {
  NoGrad off;
  copy_(weight, values);
}

// Draws are made in f32 (f64 for f64 weights), so that 16-bit weights get the rounded f32 ones.
DType draw_type(const Tensor& weight) {
  return weight.dtype() == DType::f64 ? DType::f64 : DType::f32;
}

double normal_cdf(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }

// Inverse of the normal distribution function: Acklam's rational approximation (relative error
// 1.2e-9), then one Newton step on erfc, which makes it exact to a few units in the last place.
double normal_quantile(double p) {
  constexpr double a[] = {-3.969683028665376e+01, 2.209460984245205e+02,  -2.759285104469687e+02,
                          1.383577518672690e+02,  -3.066479806614716e+01, 2.506628277459239e+00};
  constexpr double b[] = {-5.447609879822406e+01, 1.615858368580409e+02,  -1.556989798598866e+02,
                          6.680131188771972e+01,  -1.328068155288572e+01, 1.0};
  constexpr double c[] = {-7.784894002430293e-03, -3.223964580411365e-01, -2.400758277161838e+00,
                          -2.549732539343734e+00, 4.374664141464968e+00,  2.938163982698783e+00};
  constexpr double d[] = {7.784695709041462e-03, 3.224671290700398e-01, 2.445134137142996e+00,
                          3.754408661907416e+00, 1.0};
  auto polynomial = [](const auto& coefficients, double x) {
    double y = 0;
    for (double k : coefficients) y = y * x + k;
    return y;
  };
  if (p <= 0) return -INFINITY;
  if (p >= 1) return INFINITY;
  double x;
  if (double tail = std::min(p, 1 - p); tail < 0.02425) {
    double q = std::sqrt(-2 * std::log(tail));
    x = std::copysign(polynomial(c, q) / polynomial(d, q), p - 0.5);
  } else {
    double q = p - 0.5;
    x = q * polynomial(a, q * q) / polynomial(b, q * q);
  }
  double density = std::exp(-x * x / 2) / std::sqrt(2 * M_PI);
  return x - (normal_cdf(x) - p) / density;
}

}  // namespace

Fans fans_of(const Tensor& weight, Caller at) {
  if (weight.rank() < 2) {
    fail("init", at, "{} has no fan in and fan out: that takes a weight of rank 2 or more",
         describe(weight));
  }
  double first = static_cast<double>(weight.size(0)), last = static_cast<double>(weight.size(-1));
  double positions = first * last == 0 ? 0 : static_cast<double>(weight.numel()) / (first * last);
  return {last * positions, first * positions};
}

double relu_gain(double negative_slope) {
  return std::sqrt(2 / (1 + negative_slope * negative_slope));
}

void constant_(const Tensor& weight, double value) {
  NoGrad off;
  fill_(weight, value);
}
void uniform_(const Tensor& weight, double low, double high) {
  write(weight, rand(weight.shape(), low, high, draw_type(weight)));
}
void normal_(const Tensor& weight, double mean, double deviation) {
  write(weight, randn(weight.shape(), mean, deviation, draw_type(weight)));
}

void truncated_normal_(const Tensor& weight, double mean, double deviation, double low,
                       double high) {
  if (!(low < high) || !(deviation > 0)) {
    fail("truncated_normal_", Caller{}, "needs low < high and deviation > 0; got {}, {} and {}",
         low, high, deviation);
  }
  double from = normal_cdf((low - mean) / deviation), to = normal_cdf((high - mean) / deviation);
  std::vector<double> values = rand(weight.shape(), from, to, DType::f64).to_vector<double>();
  for (double& value : values) {
    value = std::clamp(mean + deviation * normal_quantile(value), low, high);
  }
  write(weight, from_vector(values, weight.shape()));
}

void kaiming_uniform_(const Tensor& weight, double negative_slope, Fan fan) {
  Fans fans = fans_of(weight);
  double bound = relu_gain(negative_slope) * std::sqrt(3 / (fan == Fan::in ? fans.in : fans.out));
  uniform_(weight, -bound, bound);
}
void kaiming_normal_(const Tensor& weight, double negative_slope, Fan fan) {
  Fans fans = fans_of(weight);
  normal_(weight, 0, relu_gain(negative_slope) / std::sqrt(fan == Fan::in ? fans.in : fans.out));
}
void xavier_uniform_(const Tensor& weight, double gain) {
  Fans fans = fans_of(weight);
  double bound = gain * std::sqrt(6 / (fans.in + fans.out));
  uniform_(weight, -bound, bound);
}
void xavier_normal_(const Tensor& weight, double gain) {
  Fans fans = fans_of(weight);
  normal_(weight, 0, gain * std::sqrt(2 / (fans.in + fans.out)));
}

void orthogonal_(const Tensor& weight, double gain) {
  fans_of(weight);  // refuses vectors
  int64_t rows = weight.size(0), columns = rows == 0 ? 0 : weight.numel() / rows;
  bool wide = rows <= columns;
  int64_t vectors = wide ? rows : columns, length = wide ? columns : rows;
  std::vector<double> q = randn({vectors, length}, 0, 1, DType::f64).to_vector<double>();
  // Gram-Schmidt, twice for each vector: once loses orthogonality to rounding. Its R has a positive
  // diagonal, which is what makes Q uniform.
  for (int64_t i = 0; i < vectors; ++i) {
    double* v = &q[static_cast<size_t>(i * length)];
    for (int pass = 0; pass < 2; ++pass) {
      for (int64_t j = 0; j < i; ++j) {
        const double* u = &q[static_cast<size_t>(j * length)];
        double dot = 0;
        for (int64_t k = 0; k < length; ++k) dot += u[k] * v[k];
        for (int64_t k = 0; k < length; ++k) v[k] -= dot * u[k];
      }
    }
    double square = 0;
    for (int64_t k = 0; k < length; ++k) square += v[k] * v[k];
    for (int64_t k = 0; k < length; ++k) v[k] /= std::sqrt(square);
  }
  for (double& value : q) value *= gain;
  Tensor matrix = from_vector(q, {vectors, length});
  write(weight, (wide ? matrix : matrix.transpose(0, 1)).reshape(weight.shape()));
}

void default_(const Tensor& weight, const Tensor& bias) {
  double bound = 1 / std::sqrt(std::max(1.0, fans_of(weight).in));
  uniform_(weight, -bound, bound);
  if (bias.defined()) uniform_(bias, -bound, bound);
}

}  // namespace strata::init
