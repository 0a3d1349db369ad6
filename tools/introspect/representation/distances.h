// Distances between rows, all at once.
#pragma once

#include "engine/tensor/tensor.h"

namespace strata::introspect {

// |a_i - b_j|^2 of a [m, D] and b [n, D], [m, n] in their type, at least 0. By |a|^2 - 2 a.b +
// |b|^2 after taking out b's mean: rows closer than about 1e-3 (f32; 1e-7 in f64) of the spread are
// not told apart. Cost 2 m n D FLOPs.
Tensor squared_distances(const Tensor& a, const Tensor& b);
// Median over pairs of different rows of x [n, D] of |x_i - x_j|, n at least 2 (the upper of two in
// the middle). The usual bandwidth of Gaussian kernels (Gretton et al. 2012, section 8). n^2
// numbers.
double median_distance(const Tensor& x);

}  // namespace strata::introspect
