// How faithful a map is to what it maps: numbers in [0, 1], 1 is perfect. All cost N^2 (D + k).
//
//   trustworthiness   1 - c sum_i sum_{j in k nearest in the map} max(0, rank of j from i in x - k)
//                     (Venna and Kaski 2001): no strangers were drawn near;
//   continuity        the same with x and the map exchanged: no neighbours were torn apart;
//                     c = 2 / (N k (2 N - 3 k - 1)), so that the worst map scores 0;
//   neighbour accuracy  share of points whose k nearest in the map mostly have their label
//                     (leave one out; equal votes go to the label met first).
#pragma once

#include <cstdint>
#include <vector>

#include "engine/tensor/tensor.h"

namespace strata::introspect {

// x [N, D], map [N, d], f32 or f64; 1 <= k < (2 N - 1) / 3.
double trustworthiness(const Tensor& x, const Tensor& map, int k = 10);
double continuity(const Tensor& x, const Tensor& map, int k = 10);
double neighbour_accuracy(const Tensor& map, const std::vector<int64_t>& labels, int k = 10);

}  // namespace strata::introspect
