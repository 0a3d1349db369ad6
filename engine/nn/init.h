// Initialisations, written into tensors in place, drawn from the default generator.
//
// Fans of a weight: its last axis (times the kernel's positions) counts inputs, its first axis
// (times the positions) outputs, for [N, K] of linear and [O, H, W, I] of convolutions alike.
#pragma once

#include "engine/tensor/tensor.h"

namespace strata::init {

struct Fans {
  double in = 0, out = 0;
};
// A tensor of rank below 2 has no fans: an error.
Fans fans_of(const Tensor& weight, Caller at = Caller::here());

// What a nonlinearity's shrinking is made up for with: sqrt(2 / (1 + slope^2)) for (leaky) ReLU, 1
// for linear layers and sigmoid, 5/3 for tanh.
double relu_gain(double negative_slope = 0);

void constant_(const Tensor& weight, double value);
inline void zeros_(const Tensor& weight) { constant_(weight, 0); }
inline void ones_(const Tensor& weight) { constant_(weight, 1); }
void uniform_(const Tensor& weight, double low, double high);
void normal_(const Tensor& weight, double mean = 0, double deviation = 1);
// Normal, cut at `low` and `high` (by inverting the distribution function, no rejection).
void truncated_normal_(const Tensor& weight, double mean = 0, double deviation = 1, double low = -2,
                       double high = 2);

enum class Fan { in, out };
// He et al. 2015: deviation gain / sqrt(fan), so that activations (or gradients) keep their size
// through ReLU layers.
void kaiming_uniform_(const Tensor& weight, double negative_slope = 0, Fan fan = Fan::in);
void kaiming_normal_(const Tensor& weight, double negative_slope = 0, Fan fan = Fan::in);
// Glorot and Bengio 2010: deviation gain sqrt(2 / (fan in + fan out)).
void xavier_uniform_(const Tensor& weight, double gain = 1);
void xavier_normal_(const Tensor& weight, double gain = 1);
// Rows (or columns, when there are more rows) orthonormal, times gain; the axes after the first
// count as one. Saxe et al. 2014. Uniform over such matrices.
void orthogonal_(const Tensor& weight, double gain = 1);

// PyTorch's default of Linear and Conv layers: weight and bias uniform within 1 / sqrt(fan in).
void default_(const Tensor& weight, const Tensor& bias);

}  // namespace strata::init
