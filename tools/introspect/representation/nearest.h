// Nearest neighbours by brute force, in tiles: exact, the same answer for any thread count, memory
// for one tile of distances (256 x 4096) whatever the number of rows. Cost 2 m n D FLOPs.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/tensor/tensor.h"

namespace strata::introspect {

// Euclidean distance |a - b|, or 1 - a.b / (|a| |b|), in which a row of zeros is at distance 1 from
// every row.
enum class Metric { euclidean, cosine };

struct Neighbours {
  Tensor index;     // i64 [m, k], nearest first; of equally distant rows the smaller index first
  Tensor distance;  // f64 [m, k]
};
// The k rows of base [n, D] that are nearest to each of queries [m, D]. `skip_self`: row i of the
// queries is row i of the base, and is left out. Errors: k not in 1..n (1..n-1 with skip_self).
Neighbours nearest(const Tensor& queries, const Tensor& base, int64_t k,
                   Metric metric = Metric::euclidean, bool skip_self = false);

// Share of validation rows whose label is the most frequent one among its k nearest training rows;
// of equally frequent labels, the one whose nearest row comes first.
double nearest_accuracy(const Tensor& train, const std::vector<int64_t>& train_labels,
                        const Tensor& validation, const std::vector<int64_t>& validation_labels,
                        int64_t k = 10, Metric metric = Metric::cosine);

}  // namespace strata::introspect
