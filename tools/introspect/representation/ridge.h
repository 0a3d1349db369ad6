// Ridge regression (Hoerl and Kennard 1970) in closed form: the linear probe of continuous targets.
//
//   min over W, b of  1/n |X W + b - Y|^2 + l2 |W|^2,   b free.
//
// With centred X and Y, X'X = V diag(s) V':  W = V diag(1 / (s + n l2)) V' X'Y; where D > n the
// same through X X' (W = X' (X X' + n l2)^-1 Y). Leaving out example i changes its residual to e_i
// / (1 - h_i), h the diagonal of the hat matrix, so leave-one-out scores cost no refits (Allen
// 1974, the PRESS statistic). Cost: n D min(n, D) FLOPs and one eigen-decomposition for any number
// of penalties.
#pragma once

#include <vector>

#include "engine/tensor/tensor.h"

namespace strata::introspect {

struct RidgeFit {
  double l2 = 0;
  Tensor weight, bias;        // [D, K], [K], f64
  Tensor leave_one_out;       // residuals y - y^ of fits without the row, [n, K], f64
  double train_error = 0;     // mean over rows of |residual|^2
  double held_out_error = 0;  // the same of leave_one_out
};

// x [n, D], y [n, K], floating. Errors: shapes; l2 not above 0; n below 2.
RidgeFit fit_ridge(const Tensor& x, const Tensor& y, double l2 = 1e-2);
// The one of `penalties` with the smallest held_out_error; the first in ties.
RidgeFit fit_ridge(const Tensor& x, const Tensor& y, const std::vector<double>& penalties);

// 1 - |y - y^|^2 / |y - mean(y)|^2 of x [m, D] and y [m, K]; 0 for constant targets.
double r_squared(const RidgeFit& fit, const Tensor& x, const Tensor& y);

}  // namespace strata::introspect
