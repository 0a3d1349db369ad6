// Cross entropy of rows of logits [rows, C] against one class each, fused with the softmax.
//   log p_c = x_c - m - l,   m = max x,   l = log sum exp(x - m)
//   loss = -(1 - s) log p_t - s / C sum over c of log p_c          s: label smoothing
//   dx_c = g (p_c - (1 - s) [c = t] - s / C)
// The forward pass keeps m and l (apart: their sum would lose digits for large logits); the
// probabilities are worked out again in the backward pass. A row is one thread's work.
// Cost: logits are read once, forward and backward, and dx is written once.
#pragma once

#include <cstdint>

#include "kernels/common/numeric.h"

namespace strata {

// `loss`, `largest` and `log_sum` are of the compute type (f64 for f64, f32 for the others).
struct CrossEntropyArgs {
  const void* logits = nullptr;     // [rows, C]
  const int64_t* target = nullptr;  // [rows], each 0..C-1 or ignore_index (the caller has checked)
  void* loss = nullptr;             // [rows]; 0 for ignored rows
  void* largest = nullptr;          // [rows], m
  void* log_sum = nullptr;          // [rows], l
  int64_t rows = 0, classes = 0;
  double smoothing = 0;
  int64_t ignore_index = -100;
  DType dtype = DType::f32;
};

struct CrossEntropyGradientArgs {
  const void* logits = nullptr;      // [rows, C]
  const int64_t* target = nullptr;   // [rows]
  const void* largest = nullptr;     // [rows]
  const void* log_sum = nullptr;     // [rows]
  const double* gradient = nullptr;  // g of row r is gradient[r * gradient_stride]
  int64_t gradient_stride = 0;       // 0: one for all rows
  void* dx = nullptr;                // [rows, C]; 0 in ignored rows
  int64_t rows = 0, classes = 0;
  double smoothing = 0;
  int64_t ignore_index = -100;
  DType dtype = DType::f32;
};

// Both at once, where the logits are not needed afterwards: dx takes their place, and nothing is
// saved between the passes. On the GPU a row is read once and written once (rung.h).
struct CrossEntropyInPlaceArgs {
  void* logits = nullptr;            // [rows, C]; dx afterwards
  const int64_t* target = nullptr;   // [rows]
  void* loss = nullptr;              // [rows], of the compute type
  const double* gradient = nullptr;  // g of row r is gradient[r * gradient_stride]
  int64_t gradient_stride = 0;
  int64_t rows = 0, classes = 0;
  double smoothing = 0;
  int64_t ignore_index = -100;
  DType dtype = DType::f32;
};

namespace cpu {
void cross_entropy(const CrossEntropyArgs& args);
// dx may be the logits.
void cross_entropy_gradient(const CrossEntropyGradientArgs& args);
void cross_entropy_in_place(const CrossEntropyInPlaceArgs& args);
}  // namespace cpu
// `target` and `gradient` lie in device memory, too.
namespace gpu {
void cross_entropy(const CrossEntropyArgs& args);
void cross_entropy_gradient(const CrossEntropyGradientArgs& args);
void cross_entropy_in_place(const CrossEntropyInPlaceArgs& args);
}  // namespace gpu

}  // namespace strata
