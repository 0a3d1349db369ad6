// A first layout of a graph from its Laplacian (Belkin and Niyogi 2003): eigenvectors of
// L = I - D^-1/2 W D^-1/2 with the smallest eigenvalues after the trivial one.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/tensor/tensor.h"
#include "tools/introspect/maps/affinities.h"

namespace strata::introspect {

struct LaplacianVectors {
  std::vector<double> values;  // count, ascending; the first is 0
  Tensor vectors;              // [N, count], f64, orthonormal columns
};
// Of a connected, symmetric, nonnegative graph, by subspace iteration with Chebyshev filters (Zhou
// et al. 2006), which meets eigenvalues that are equal without trouble. Stops when |L v - lambda v|
// is below 1e-6 for each, or after 60 filters of degree 24: eigenvalues that lie closer than that
// are of no importance to a layout. 1 <= count <= N. The same bits for any thread count.
LaplacianVectors laplacian_vectors(const SparseMatrix& graph, int64_t count, uint64_t seed);

// [N, dimensions], f64: the eigenvectors after the first, within [-1, 1]. A graph in several pieces
// has each piece laid out alone, around the principal components of the pieces' means in x [N, D].
Tensor spectral_layout(const SparseMatrix& graph, const Tensor& x, int64_t dimensions,
                       uint64_t seed);

// The piece of each vertex, numbered in the order of their first vertices.
std::vector<int64_t> connected_pieces(const SparseMatrix& graph);

}  // namespace strata::introspect
