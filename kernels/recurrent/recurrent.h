// One step of recurrent cells: what is left of LSTM and GRU when the products with the weights are
// done (kernels/gemm), fused into one pass over [N, H].
//
// LSTM (Hochreiter and Schmidhuber 1997; Gers et al. 2000), gates in the order i, f, g, o:
//   i, f, o = sigmoid, g = tanh of (x part + h part)
//   cell' = f cell + i g;   hidden = o tanh(cell')
// GRU (Cho et al. 2014, reset after the product), gates r, z, n:
//   r, z = sigmoid(x part + h part);   n = tanh(x part + r (h part))
//   hidden' = (1 - z) n + z hidden
//
// Arrays have rows of H, 3 H or 4 H elements, gate after gate, and a stride from row to row, so
// that a step may be a slice of [N, T, 4 H]. Floating types; arithmetic in f32 (f64 for f64). The
// forward pass keeps what the backward pass needs: 4 H a row. Cost of an LSTM step: 5 exponentials
// an element; bytes (f32, both parts, kept) 15 H words a row.
#pragma once

#include <cstdint>

#include "kernels/common/numeric.h"

namespace strata {

// Row n begins `stride` elements after row n - 1.
struct Rows {
  void* data = nullptr;
  int64_t stride = 0;
};

struct LstmArgs {
  int64_t N = 0, H = 0;
  DType dtype = DType::f32;
  Rows x_gates, h_gates;  // [N, 4 H] each, biases included; h_gates may be null
  Rows cell;              // [N, H]; null: zeros
  Rows new_cell, hidden;  // [N, H]
  Rows kept;              // [N, 4 H]: i, f, g, o; may be null
};
struct LstmGradientArgs {
  int64_t N = 0, H = 0;
  DType dtype = DType::f32;
  Rows kept, cell, new_cell;            // of the forward pass; cell may be null
  Rows hidden_gradient, cell_gradient;  // of hidden and new_cell; either may be null
  Rows gates_gradient;                  // [N, 4 H], of x_gates and of h_gates
  Rows old_cell_gradient;               // [N, H], of cell; may be null
};

struct GruArgs {
  int64_t N = 0, H = 0;
  DType dtype = DType::f32;
  Rows x_gates, h_gates;  // [N, 3 H] each, biases included
  Rows hidden;            // [N, H]; null: zeros
  Rows new_hidden;        // [N, H]
  Rows kept;              // [N, 4 H]: r, z, n, h part of n; may be null
};
struct GruGradientArgs {
  int64_t N = 0, H = 0;
  DType dtype = DType::f32;
  Rows kept, hidden;                        // of the forward pass; hidden may be null
  Rows new_hidden_gradient;                 // [N, H]
  Rows x_gates_gradient, h_gates_gradient;  // [N, 3 H]
  Rows hidden_gradient;                     // [N, H]: of hidden, but for what comes through h_gates
};

namespace cpu {
void lstm_step(const LstmArgs& args);
void lstm_step_gradient(const LstmGradientArgs& args);
void gru_step(const GruArgs& args);
void gru_step_gradient(const GruGradientArgs& args);
}  // namespace cpu

// The same on the current stream; arrays are device memory.
namespace gpu {
void lstm_step(const LstmArgs& args);
void lstm_step_gradient(const LstmGradientArgs& args);
void gru_step(const GruArgs& args);
void gru_step_gradient(const GruGradientArgs& args);
}  // namespace gpu

}  // namespace strata
