// Recurrences over a sequence (Elman 1990; LSTM, Hochreiter and Schmidhuber 1997; GRU, Cho et al.
// 2014). The products of the inputs with their weights have no order in time and are made before,
// as one; an op here does what must go step by step: a product of the last state with `weight`, and
// one fused kernel. Its gradient is exact back-propagation through time, as one node of the graph.
//
//   op    gates  of one step, with x = x_gates[:, t] and h = hidden weight^T + bias, gate by gate
//   rnn   1      hidden = tanh(x + h)
//   lstm  i f g o  cell = sigmoid(f) cell + sigmoid(i) tanh(g);  hidden = sigmoid(o) tanh(cell)
//   gru   r z n  n = tanh(x_n + sigmoid(r) h_n);  hidden = (1 - z) n + z hidden, z = sigmoid(z)
//
// With G gates: x_gates [N, T, G H], weight [G H, H], bias [G H] (undefined: none), first states
// [N, H] (undefined: zeros), all floating. States come back for every step, [N, T, H]; the last are
// the final ones. Gates are in PyTorch's order. A single step is T = 1.
//
// Cost: G H^2 multiply-adds a row and step, three times that backward. Kept for the gradient: the
// operands, the states, and 4 H a row and step of lstm and gru. A gradient that wants a graph of
// its own is made of plain ops instead, in O(T^2) memory traffic.
#pragma once

#include "engine/tensor/tensor.h"

namespace strata {

Tensor rnn(const Tensor& x_gates, const Tensor& weight, const Tensor& bias = {},
           const Tensor& hidden = {}, Caller at = Caller::here());

struct LstmStates {
  Tensor hidden;  // [N, T, H]
  Tensor cell;    // [N, T, H]
};
LstmStates lstm(const Tensor& x_gates, const Tensor& weight, const Tensor& bias = {},
                const Tensor& hidden = {}, const Tensor& cell = {}, Caller at = Caller::here());

Tensor gru(const Tensor& x_gates, const Tensor& weight, const Tensor& bias = {},
           const Tensor& hidden = {}, Caller at = Caller::here());

}  // namespace strata
