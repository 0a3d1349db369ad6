// A small f64 Gpt in which nothing is 0 or 1 by accident: every parameter random.
#pragma once

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "models/language/gpt.h"

namespace strata::introspect::test {

class RandomGpt : public Gpt {
 public:
  explicit RandomGpt(uint64_t seed, double dropout = 0)
      : Gpt({.vocabulary = 14,
             .context = 10,
             .width = 12,
             .heads = 3,
             .layers = 2,
             .dropout = dropout}) {
    to(DType::f64);
    NoGrad off;
    Generator generator(seed);
    for (auto& [name, tensor] : named_parameters()) {
      copy_(tensor, randn(tensor.shape(), 0, 0.4, DType::f64, &generator));
    }
  }
  // [3, 7], other tokens for each seed.
  static Tensor tokens(uint64_t seed) {
    Generator generator(seed);
    return randint(0, 14, {3, 7}, DType::i64, &generator);
  }
};

}  // namespace strata::introspect::test
