// The k nearest points by Euclidean distance, exactly: what t-SNE, UMAP and the quality of maps
// stand on.
//
// Tiles of |q|^2 + |x|^2 - 2 q.x come from f32 products (2 Q N D operations), which a stream of
// candidates passes through; whatever the rounding of the products cannot exclude is measured again
// in f64 by differences, and those distances decide, ties by index. So the answer is that of the
// plain double loop, for any thread count and any tiling of the product.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/tensor/tensor.h"

namespace strata::introspect {

struct Neighbours {
  int64_t count = 0;             // k
  std::vector<int32_t> index;    // [Q, k], row-major: nearest first, ties by index
  std::vector<double> distance;  // [Q, k], Euclidean, not squared
  int64_t rows() const { return count ? static_cast<int64_t>(index.size()) / count : 0; }
};

// Of each row of x [N, D] (f32 or f64) the k nearest other rows; 1 <= k < N.
Neighbours nearest_neighbours(const Tensor& x, int64_t k, Caller at = Caller::here());
// Of each row of queries [Q, D] the k nearest rows of x [N, D]; 1 <= k <= N.
Neighbours nearest_neighbours(const Tensor& queries, const Tensor& x, int64_t k,
                              Caller at = Caller::here());

}  // namespace strata::introspect
