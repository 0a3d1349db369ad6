// Models of which the attribution is known, and one network of each family.
#pragma once

#include <cmath>
#include <vector>

#include "tests/introspect/networks.h"
#include "tools/introspect/edit.h"

namespace strata::introspect::test {

// x [N, 4, 4, 2] -> [N, 3]: w . x + b. Every attribution against a baseline is w (x - baseline).
struct LinearModel {
  Tensor weight = random({3, 32}, 71), bias = random({3}, 72);
  Tensor operator()(const Tensor& x) const { return linear(x.flatten(1), weight, bias); }
  // The weight row of each target in x's shape.
  Tensor weights(const std::vector<int64_t>& target, const Tensor& x) const {
    auto count = static_cast<int64_t>(target.size());
    return index_select(weight, 0, from_vector(target, {count})).reshape(x.shape());
  }
};

// x [N, 8, 8, 2] -> [N, 2]: every op that exact integration allows, with a layer used twice:
// batch norm in inference, leaky ReLU, max pooling (overlapping), clamp, abs, hard sigmoid, maximum
// and a maximum over channels.
struct BentNetwork {
  Tensor kernel1 = random({4, 3, 3, 2}, 61, 0.4), bias1 = random({4}, 62, 0.3);
  Tensor kernel2 = random({4, 3, 3, 4}, 63, 0.3), head = random({2, 4}, 64);
  Tensor scale = random({4}, 65), shift = random({4}, 66, 0.3), mean1 = random({4}, 67, 0.3),
         variance = abs(random({4}, 68)) + 0.5;
  Tensor operator()(const Tensor& x) const {
    Tensor a = conv2d(x, kernel1, bias1, {.padding = 1});
    a = batch_norm(a, scale, shift, mean1, variance, {.training = false, .relu = true});
    a = max_pool2d(a, {.window = 3, .stride = 2, .padding = 1});
    a = show("first", leaky_relu(a - 0.2, 0.1));
    Tensor b = clamp(conv2d(a, kernel2, {}, {.padding = 1}), -0.5, 0.5);
    Tensor c = abs(conv2d(b, kernel2, {}, {.padding = 1}));
    Tensor d = maximum(hard_sigmoid(c * 4.0), b) + max(a, {3}, true);
    return linear(mean(show("last", d), {1, 2}), head);
  }
};

struct Family {
  const char* name;
  Scores model;
  Tensor x;
  const char* layer;  // used once
  bool piecewise_linear;
};
// The largest magnitude; NaN if there is one.
inline double largest(const std::vector<double>& values) {
  double most = 0;
  for (double value : values) {
    if (std::isnan(value)) return value;
    most = std::max(most, std::abs(value));
  }
  return most;
}

inline std::vector<Family> families() {
  return {{"convolution", ConvNetwork{}, random({2, 8, 8, 2}, 1), "conv1", true},
          {"bent", BentNetwork{}, random({2, 8, 8, 2}, 5), "last", true},
          {"graph", GraphNetwork{}, random({2, 5, 3}, 3), "graph1", true},
          {"recurrent", RecurrentNetwork{}, random({2, 5, 3}, 2), "", false},
          {"attention", AttentionNetwork{}, random({2, 6, 8}, 4), "stream", false}};
}

}  // namespace strata::introspect::test
