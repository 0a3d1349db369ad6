// The reader without parameters: what the nearest training examples are called. On
// maps/neighbours.h: exact, in tiles, ties by index, the same answer for any thread count.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/tensor/tensor.h"

namespace strata::introspect {

// Rows of x [N, D] scaled to length 1, [N, D + 1]: Euclidean neighbours of these are the neighbours
// by cosine, |a - b|^2 = 2 - 2 cos. The last column is 1 for rows of zeros and 0 otherwise, which
// puts them at right angles to every other row.
Tensor on_sphere(const Tensor& x);

// Share of validation rows whose label is the most frequent one among its k nearest training rows,
// by cosine or Euclidean distance; of equally frequent labels, the one whose nearest row comes
// first.
double nearest_accuracy(const Tensor& train, const std::vector<int64_t>& train_labels,
                        const Tensor& validation, const std::vector<int64_t>& validation_labels,
                        int64_t k = 10, bool cosine = true);

}  // namespace strata::introspect
