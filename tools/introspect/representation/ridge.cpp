#include "tools/introspect/representation/ridge.h"

#include <algorithm>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "tools/introspect/linear_algebra.h"

namespace strata::introspect {
namespace {

// What all penalties share: centred data and U with X X' = U diag(s) U', from the smaller side.
struct Decomposition {
  Tensor x_mean, y_mean, x, y;  // f64, x and y centred
  Tensor left;                  // U [n, r]
  std::vector<double> squares;  // s, r of them
};

Decomposition decompose(const Tensor& x, const Tensor& y) {
  Decomposition d;
  Tensor x64 = x.to(DType::f64), y64 = y.to(DType::f64);
  d.x_mean = mean(x64, {0});
  d.y_mean = mean(y64, {0});
  d.x = x64 - d.x_mean;
  d.y = y64 - d.y_mean;
  bool wide = x.size(1) > x.size(0);
  Tensor xt = d.x.transpose(0, 1);
  auto [values, vectors] = symmetric_eigen(wide ? matmul(d.x, xt) : matmul(xt, d.x));
  // Directions without variance have no left vector; what lies there is not fitted.
  int64_t rank = 0;
  while (rank < static_cast<int64_t>(values.size()) &&
         values[static_cast<size_t>(rank)] > 1e-13 * values[0]) {
    d.squares.push_back(values[static_cast<size_t>(rank++)]);
  }
  Tensor kept = vectors.slice(1, 0, rank);
  d.left = wide ? kept.contiguous() : matmul(d.x, kept) * rsqrt(from_vector(d.squares, {rank}));
  return d;
}

RidgeFit solve(const Decomposition& d, double l2) {
  int64_t n = d.x.size(0), rank = static_cast<int64_t>(d.squares.size());
  Tensor squares = from_vector(d.squares, {rank});
  Tensor damped = squares + static_cast<double>(n) * l2;
  Tensor codes = matmul(d.left.transpose(0, 1), d.y);  // U'Y [r, K]
  RidgeFit fit;
  fit.l2 = l2;
  // W = X' U diag(1 / (s + n l2)) U'Y in both forms.
  fit.weight = matmul(d.x.transpose(0, 1), matmul(d.left / damped, codes));
  fit.bias = d.y_mean - matmul(d.x_mean, fit.weight);
  Tensor residual = d.y - matmul(d.left * (squares / damped), codes);
  // The mean, too, is estimated: 1/n of the leverage.
  Tensor leverage =
      sum(square(d.left) * (squares / damped), {1}, true) + 1 / static_cast<double>(n);
  fit.leave_one_out = residual / (1.0 + -leverage);
  fit.train_error = sum(square(residual)).item() / static_cast<double>(n);
  fit.held_out_error = sum(square(fit.leave_one_out)).item() / static_cast<double>(n);
  return fit;
}

}  // namespace

RidgeFit fit_ridge(const Tensor& x, const Tensor& y, const std::vector<double>& penalties) {
  NoGrad off;
  if (x.rank() != 2 || y.rank() != 2 || x.size(0) != y.size(0) || x.size(0) < 2) {
    fail("fit_ridge", Caller{},
         "features {} and targets {} must be [n, D] and [n, K], n at least 2", describe(x),
         describe(y));
  }
  if (penalties.empty() || !(*std::min_element(penalties.begin(), penalties.end()) > 0)) {
    fail("fit_ridge", Caller{}, "needs penalties l2 above 0; the smallest of {} is {}",
         penalties.size(),
         penalties.empty() ? 0 : *std::min_element(penalties.begin(), penalties.end()));
  }
  Decomposition d = decompose(x, y);
  RidgeFit best = solve(d, penalties[0]);
  for (size_t i = 1; i < penalties.size(); ++i) {
    RidgeFit fit = solve(d, penalties[i]);
    if (fit.held_out_error < best.held_out_error) best = fit;
  }
  return best;
}

RidgeFit fit_ridge(const Tensor& x, const Tensor& y, double l2) {
  return fit_ridge(x, y, std::vector<double>{l2});
}

double r_squared(const RidgeFit& fit, const Tensor& x, const Tensor& y) {
  NoGrad off;
  Tensor target = y.to(DType::f64);
  Tensor residual = target - matmul(x.to(DType::f64), fit.weight) - fit.bias;
  double total = sum(square(target - mean(target, {0}))).item();
  return total > 0 ? 1 - sum(square(residual)).item() / total : 0;
}

}  // namespace strata::introspect
