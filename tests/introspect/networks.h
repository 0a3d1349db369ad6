// Small float64 networks of four families, with fixed random weights and named activations, for
// tests of introspection: what holds for one must hold for all.
#pragma once

#include <functional>
#include <vector>

#include "engine/autograd/autograd.h"
#include "engine/event.h"
#include "engine/ops.h"

namespace strata::introspect::test {

inline Tensor random(const Dims& shape, uint64_t seed, double deviation = 1) {
  Generator generator(seed);
  return randn(shape, 0, deviation, DType::f64, &generator);
}
inline Tensor show(const char* name, Tensor value) {
  return ActivationObserver::emit(name, std::move(value));
}
inline double largest_difference(const Tensor& a, const Tensor& b) {
  return max(abs(a - b)).item();
}

// x [N, 8, 8, 2] -> [N, 3]. "conv1" [N, 8, 8, 4], "conv2" [N, 4, 4, 5] (after a residual sum of
// "conv1" shrunk), both behind ReLUs; `biased` false makes it 1-homogeneous.
struct ConvNetwork {
  bool biased = true;
  Tensor kernel1 = random({4, 3, 3, 2}, 11, 0.4), bias1 = random({4}, 12, 0.3);
  Tensor kernel2 = random({5, 3, 3, 4}, 13, 0.3), bias2 = random({5}, 14, 0.3);
  Tensor head = random({3, 5}, 15), head_bias = random({3}, 16);
  Tensor operator()(const Tensor& x) const {
    Tensor none;
    Tensor a = show("conv1", relu(conv2d(x, kernel1, biased ? bias1 : none, {.padding = 1})));
    Tensor shrunk = a.slice(1, 0, 8, 2).slice(2, 0, 8, 2);
    Tensor b = conv2d(a, kernel2, biased ? bias2 : none, {.stride = 2, .padding = 1});
    Tensor joined = concatenate({b.slice(3, 0, 4) + shrunk, b.slice(3, 4, 5)}, 3);
    Tensor c = show("conv2", relu(joined));
    return linear(mean(c, {1, 2}), head, biased ? head_bias : none);
  }
};

// x [N, T, 3] -> [N, 2]. An LSTM of width 4 whose "cell" and "hidden" [N, 4] are shown at each
// step: a layer that is used T times.
struct RecurrentNetwork {
  Tensor input = random({16, 3}, 21, 0.5), recurrent = random({16, 4}, 22, 0.5),
         bias = random({16}, 23, 0.2), head = random({2, 4}, 24);
  Tensor operator()(const Tensor& x) const {
    Tensor h = zeros({x.size(0), 4}, DType::f64), c = h;
    for (int64_t t = 0; t < x.size(1); ++t) {
      Tensor gates = linear(x.select(1, t), input, bias) + linear(h, recurrent);
      Tensor i = sigmoid(gates.slice(1, 0, 4)), f = sigmoid(gates.slice(1, 4, 8));
      Tensor g = tanh(gates.slice(1, 8, 12)), o = sigmoid(gates.slice(1, 12, 16));
      c = show("cell", f * c + i * g);
      h = show("hidden", o * tanh(c));
    }
    return linear(h, head);
  }
};

// x [N, 5, 3] (features of 5 nodes) -> [N, 2]: two graph convolutions (Kipf and Welling 2017) over
// a fixed path with one extra edge, "graph1" [N, 5, 4] and "graph2" [N, 5, 4], mean over the nodes.
struct GraphNetwork {
  Tensor weight1 = random({4, 3}, 31, 0.6), weight2 = random({4, 4}, 32, 0.6),
         head = random({2, 4}, 33), adjacency = normalised_adjacency();
  Tensor operator()(const Tensor& x) const {
    Tensor a = show("graph1", relu(linear(matmul(adjacency, x), weight1)));
    Tensor b = show("graph2", relu(linear(matmul(adjacency, a), weight2)));
    return linear(mean(b, {1}), head);
  }
  static Tensor normalised_adjacency() {
    std::vector<double> edges(25, 0);
    auto join = [&](size_t i, size_t j) { edges[5 * i + j] = edges[5 * j + i] = 1; };
    for (size_t i = 0; i < 5; ++i) join(i, i);
    for (size_t i = 0; i + 1 < 5; ++i) join(i, i + 1);
    join(0, 3);
    Tensor a = from_vector(edges, {5, 5});
    Tensor scale = rsqrt(sum(a, {1}, true));
    return a * scale * scale.transpose(0, 1);
  }
};

// x [N, 6, 8] (embedded tokens) -> [N, 3]: one block of causal attention with 2 heads and an MLP on
// a residual stream, "pattern" [N, 2, 6, 6], "heads" [N, 6, 8], "stream" [N, 6, 8]; the last
// position is read.
struct AttentionNetwork {
  Tensor qkv = random({24, 8}, 41, 0.4), projection = random({8, 8}, 42, 0.4),
         expand = random({16, 8}, 43, 0.4), contract = random({8, 16}, 44, 0.4),
         head = random({3, 8}, 45);
  Tensor operator()(const Tensor& x) const {
    int64_t n = x.size(0), t = x.size(1);
    Tensor split = linear(x, qkv).reshape({n, t, 3, 2, 4});
    Tensor pattern = show(
        "pattern", attention_pattern(split.select(2, 0), split.select(2, 1), {.causal = true}));
    Tensor heads = show("heads", attention_mix(pattern, split.select(2, 2)).flatten(2));
    Tensor y = x + linear(heads, projection);
    y = show("stream", y + linear(gelu(linear(y, expand)), contract));
    return linear(y.select(1, t - 1), head);
  }
};

// One of each: a model, an input of two examples, and one of its layers.
struct NamedNetwork {
  const char* name;
  std::function<Tensor(const Tensor&)> model;
  Tensor x;
  const char* layer;
};
// `attention`: the layer looked at in the attention network.
inline std::vector<NamedNetwork> networks(const char* attention = "pattern") {
  return {{"convolution", ConvNetwork{}, random({2, 8, 8, 2}, 1), "conv1"},
          {"recurrent", RecurrentNetwork{}, random({2, 5, 3}, 2), "hidden"},
          {"graph", GraphNetwork{}, random({2, 5, 3}, 3), "graph1"},
          {"attention", AttentionNetwork{}, random({2, 6, 8}, 4), attention}};
}

}  // namespace strata::introspect::test
