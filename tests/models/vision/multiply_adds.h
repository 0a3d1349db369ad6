// Multiply-adds of one forward pass, counted from the shapes of the ops that ran.
#pragma once

#include <string>

#include "engine/autograd/autograd.h"
#include "engine/event.h"
#include "models/model.h"

namespace strata::test {

inline int64_t multiply_adds(Model& model, const Tensor& x) {
  int64_t count = 0;
  NoGrad off;
  OpObserver observer([&](const OpEvent& event) {
    const std::string op = event.op;
    const auto& in = event.inputs;
    if (op == "conv2d") count += event.out.numel() * in[1].numel() / in[1].size(0);
    if (op == "linear") count += event.out.numel() * in[1].size(1);
    // q [N, T, heads, D], k [N, S, heads, D]: q k^T, and its product with v.
    if (op == "scaled_dot_product_attention") count += 2 * in[0].numel() * in[1].size(1);
  });
  model(x);
  return count;
}

}  // namespace strata::test
