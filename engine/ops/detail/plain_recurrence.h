// The recurrences of engine/ops/recurrent.h made of plain ops, step by step: what PlainOps shows,
// and what a gradient with a graph of its own goes through.
#pragma once

#include <vector>

#include "engine/autograd/autograd.h"

namespace strata::detail {

// The states [N, T, H] (lstm: [2, N, T, H], hidden and cell) from the operands in the order of the
// op's parameters; T at least 1.
Tensor plain_rnn(const std::vector<Tensor>& in);
Tensor plain_lstm(const std::vector<Tensor>& in);
Tensor plain_gru(const std::vector<Tensor>& in);

using PlainRecurrence = Tensor (*)(const std::vector<Tensor>& in);
// The gradient of an op by way of its plain form. `s` holds the operands first.
Gradients plain_gradient(PlainRecurrence plain, const Tensor& g, const Saved& s, int inputs);

}  // namespace strata::detail
