// Linear and Embedding: the layers that are one product or one lookup.
#pragma once

#include "engine/nn/layer.h"

namespace strata {

// x [..., inputs] -> [..., outputs]: x weight^T + bias. weight [outputs, inputs], bias [outputs];
// both start uniform within 1 / sqrt(inputs).
class Linear : public Layer {
 public:
  Linear(int64_t inputs, int64_t outputs, bool bias = true);
  std::string kind() const override;
  Tensor forward(const Tensor& x) override;

  Tensor weight, bias;
};

// index [...] (i64 or i32) -> rows of weight [count, width]: [..., width]. Starts standard normal.
class Embedding : public Layer {
 public:
  Embedding(int64_t count, int64_t width);
  std::string kind() const override;
  Tensor forward(const Tensor& index) override;

  Tensor weight;
};

}  // namespace strata
