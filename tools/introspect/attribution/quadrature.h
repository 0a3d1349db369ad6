// Rules that turn an integral over [0, 1] into a weighted sum of values at nodes inside it. The
// weights add up to 1, so that every rule is exact for a constant.
#pragma once

#include <vector>

namespace strata::introspect {

struct QuadratureRule {
  std::vector<double> nodes, weights;  // nodes ascending
};
// Exact for polynomials of degree 2 n - 1. The nodes are the roots of the Legendre polynomial P_n,
// by Newton's method from Tricomi's estimate (Press et al., Numerical Recipes, 4.6): to rounding
// for any n, in n^2 steps.
QuadratureRule gauss_legendre(int n);
// The middles of n equal cells: exact for degree 1, error O(1 / n^2) for what is smooth.
QuadratureRule midpoints(int n);

}  // namespace strata::introspect
