// The repulsive half of the gradient of t-SNE, three ways. With w_ij = 1 / (1 + |y_i - y_j|^2):
//
//   force_i = sum_{j != i} w_ij^2 (y_i - y_j),   z = sum_{i != j} w_ij
//
//   exact        N^2;
//   Barnes-Hut   (van der Maaten 2014) N log N: a cell of a quadtree acts as one point at its mean
//                where side < theta distance; theta = 0 is exact. One walk of the tree serves the
//                points of a leaf (Barnes 1990);
//   grid         (Linderman et al. 2019) N nodes^2 + M^2 log M: points are laid on an equispaced
//                grid, where the sums are convolutions, done by FFT of M^2 numbers.
//
// All are the same bits for any thread count.
#pragma once

#include <complex>
#include <cstdint>
#include <vector>

namespace strata::introspect {

struct Repulsion {
  std::vector<double> force;  // [N, 2]
  double z = 0;
};

// y [N, 2], row-major.
Repulsion exact_repulsion(const std::vector<double>& y);
// 0 <= theta <= 0.7: beyond 1 / sqrt(2) a point could be repelled by the cell that it lies in.
Repulsion tree_repulsion(const std::vector<double>& y, double theta);

// Keeps the transforms of the kernels between calls with the same grid.
//
// The grid moves with the points; its spacing is `spacing`, halved until the map is 64 cells wide.
// Points are laid on it by B-splines over `nodes` nodes along each axis, and the kernels are
// sharpened in the spectrum, as in the smooth particle mesh (Essmann et al. 1995): on the same
// nodes five to ten times nearer than Lagrange polynomials (4 and 6 nodes, spacing 1/4). Relative
// to the forces of random points, the error is 3e-2 by default (the tree's at theta 0.5:
// 1.6e-2), and 2e-4 with 6 nodes at 1/4.
//
// Two kernels are enough: a complex one, (d_x + i d_y) w^2, gives both components of the force in
// one product and needs no differences of large sums; z comes by Parseval from the spectrum of the
// points without a transform back. As the force kernel is odd and both ends use the same weights,
// forces sum to zero.
class GridRepulsion {
 public:
  explicit GridRepulsion(int nodes = 4, double spacing = 0.5);
  Repulsion operator()(const std::vector<double>& y);

 private:
  using Complex = std::complex<double>;
  void prepare(double spacing, int64_t size);

  int nodes_;
  double largest_spacing_, spacing_ = 0;
  int64_t size_ = 0;                   // M
  std::vector<Complex> force_kernel_;  // spectra [M, M], transposed
  std::vector<double> weight_kernel_;
  std::vector<Complex> grid_, spectrum_;
};

}  // namespace strata::introspect
