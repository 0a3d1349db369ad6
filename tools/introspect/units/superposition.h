// More features than units: how a layer stores them (Elhage et al. 2022, "Toy models of
// superposition").
//
// Features are the rows of W [n, m], directions in a space of m units.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "engine/tensor/tensor.h"

namespace strata::introspect {

// D_i = |W_i|^2 / sum_j (w_i . W_j)^2 with w_i = W_i / |W_i|: the share of a dimension that feature
// i has for itself: 1 alone, 1/2 of an antipodal pair, 2/3 of a triangle in a plane; 0 for a
// feature that is not represented (|W_i| < 1e-6 of the largest). They sum to at most m.
std::vector<double> feature_dimensionality(const Tensor& weight);
// W W', [n, n]: on the diagonal how much of a feature is represented, beside it interference.
Tensor interference(const Tensor& weight);
// m / |W|_F^2: units for each feature represented.
double dimensions_per_feature(const Tensor& weight);

// The toy model: x [n] is squeezed through m units and brought back by the same weight,
//   y = relu(x W W' + b)   or, linear,   y = x W W' + b,
// trained to min sum_i importance_i (x_i - y_i)^2.
struct ToyOptions {
  int64_t hidden = 2;
  bool linear = false;
  std::vector<double> importance = {};  // n of them; empty: all 1
  int steps = 2000;
  double learning_rate = 3e-2;  // of Adam, falling to 0 as a cosine
  uint64_t seed = 1;
};
struct ToyModel {
  Tensor weight, bias;  // [n, m], [n]
  double loss = 0;      // mean over the last batch
};
// `batch`: the examples [B, n] of each step, f32 or f64.
ToyModel train_toy_model(const std::function<Tensor(int step)>& batch, const ToyOptions& options);

// Batches of features that are 0 with probability `sparsity` and else uniform in [0, 1).
std::function<Tensor(int step)> sparse_features(int64_t features, double sparsity,
                                                int64_t batch = 512, uint64_t seed = 1,
                                                DType dtype = DType::f32);

}  // namespace strata::introspect
