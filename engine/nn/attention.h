// Multi-head attention (Vaswani et al. 2017): queries, keys and values of each head are slices of
// one product, and scaled_dot_product_attention does the rest without keeping the scores.
//
// Parameters: qkv.weight [3 C, C] (rows: queries, keys, values), projection.weight [C, C], biases.
#pragma once

#include "engine/nn/linear.h"
#include "engine/ops/attention.h"

namespace strata {

// Keys and values of the tokens that a causal layer has seen, so that a sequence grows by new
// tokens at the cost of those alone. Memory: 2 capacity C numbers a sequence, taken at the first
// use, in the type and on the device of what is kept. Without gradients only.
struct KeyValueCache {
  int64_t capacity = 0;     // the most tokens
  int64_t length = 0;       // tokens so far; setting it back forgets the later ones
  Tensor keys{}, values{};  // [N, capacity, heads, D]

  // Keeps k and v [N, T, heads, D] after what there is, and gives back all: [N, length, heads, D].
  std::pair<Tensor, Tensor> append(const Tensor& k, const Tensor& v);
};

class MultiheadAttention : public Layer {
 public:
  // `width` C is a multiple of `heads`. Starts Xavier uniform with zero biases.
  //
  // Activations besides its layers': "queries", "keys" and "values" [N, T, heads, D], "heads" (the
  // heads' results side by side, before the projection) [N, T, C], and for an observer that lists
  // it "pattern" [N, heads, T, S], what each query takes of each key; the scores are kept then, and
  // a pattern put in its place is used.
  MultiheadAttention(int64_t width, int64_t heads, const AttentionOptions& options = {},
                     bool bias = true);
  std::string kind() const override;
  // Self-attention: x [N, T, C] -> [N, T, C].
  Tensor forward(const Tensor& x) override;
  using Layer::operator();
  // Self-attention with a mask, as scaled_dot_product_attention takes it.
  Tensor operator()(const Tensor& x, const Tensor& mask);
  // Queries from x [N, T, C], keys and values from memory [N, S, C] (cross-attention).
  Tensor operator()(const Tensor& x, const Tensor& memory, const Tensor& mask);
  // Causal self-attention of tokens x [N, T, C] that follow those in the cache, which takes them
  // in. "keys" and "values" are shown of the new tokens.
  Tensor operator()(const Tensor& x, KeyValueCache& cache);

  int64_t heads;
  AttentionOptions options;
  Linear& qkv;
  Linear& projection;

 private:
  Tensor attend(const Tensor& x, const Tensor& mask, KeyValueCache* cache = nullptr);
  // q [N, T, heads, D], k and v [N, S, heads, D] -> the layer's result.
  Tensor mix(Tensor q, Tensor k, Tensor v, const Tensor& mask, KeyValueCache* cache = nullptr);
};

}  // namespace strata
