// Elementwise ops. Two operands broadcast by NumPy's rule and promote as promote() says; a double
// operand takes the tensor's type (an integer tensor with a fractional number becomes f32).
#pragma once

#include "engine/tensor/tensor.h"

namespace strata {

// A tensor with the line it was used on, for operators.
struct Operand {
  const Tensor& tensor;
  Caller at;
  Operand(const Tensor& tensor, Caller at = Caller::here()) : tensor(tensor), at(at) {}
};

Tensor add(const Tensor& a, const Tensor& b, Caller at = Caller::here());
Tensor sub(const Tensor& a, const Tensor& b, Caller at = Caller::here());
Tensor mul(const Tensor& a, const Tensor& b, Caller at = Caller::here());
// True division; integers give f32.
Tensor div(const Tensor& a, const Tensor& b, Caller at = Caller::here());
Tensor pow(const Tensor& a, const Tensor& b, Caller at = Caller::here());
Tensor maximum(const Tensor& a, const Tensor& b, Caller at = Caller::here());
Tensor minimum(const Tensor& a, const Tensor& b, Caller at = Caller::here());
Tensor add(const Tensor& a, double b, Caller at = Caller::here());
Tensor sub(double a, const Tensor& b, Caller at = Caller::here());
Tensor mul(const Tensor& a, double b, Caller at = Caller::here());
Tensor div(double a, const Tensor& b, Caller at = Caller::here());
Tensor pow(const Tensor& a, double b, Caller at = Caller::here());

inline Tensor operator+(const Operand& a, const Operand& b) {
  return add(a.tensor, b.tensor, a.at);
}
inline Tensor operator-(const Operand& a, const Operand& b) {
  return sub(a.tensor, b.tensor, a.at);
}
inline Tensor operator*(const Operand& a, const Operand& b) {
  return mul(a.tensor, b.tensor, a.at);
}
inline Tensor operator/(const Operand& a, const Operand& b) {
  return div(a.tensor, b.tensor, a.at);
}
inline Tensor operator+(const Operand& a, double b) { return add(a.tensor, b, a.at); }
inline Tensor operator+(double a, const Operand& b) { return add(b.tensor, a, b.at); }
inline Tensor operator-(const Operand& a, double b) { return add(a.tensor, -b, a.at); }
inline Tensor operator-(double a, const Operand& b) { return sub(a, b.tensor, b.at); }
inline Tensor operator*(const Operand& a, double b) { return mul(a.tensor, b, a.at); }
inline Tensor operator*(double a, const Operand& b) { return mul(b.tensor, a, b.at); }
inline Tensor operator/(const Operand& a, double b) { return mul(a.tensor, 1.0 / b, a.at); }
inline Tensor operator/(double a, const Operand& b) { return div(a, b.tensor, b.at); }

// Comparisons give bool and have no gradient.
Tensor equal(const Tensor& a, const Tensor& b, Caller at = Caller::here());
Tensor not_equal(const Tensor& a, const Tensor& b, Caller at = Caller::here());
Tensor less(const Tensor& a, const Tensor& b, Caller at = Caller::here());
Tensor less_equal(const Tensor& a, const Tensor& b, Caller at = Caller::here());
Tensor greater(const Tensor& a, const Tensor& b, Caller at = Caller::here());
Tensor greater_equal(const Tensor& a, const Tensor& b, Caller at = Caller::here());
Tensor logical_and(const Tensor& a, const Tensor& b, Caller at = Caller::here());
Tensor logical_or(const Tensor& a, const Tensor& b, Caller at = Caller::here());
Tensor logical_not(const Tensor& x, Caller at = Caller::here());
Tensor is_nan(const Tensor& x, Caller at = Caller::here());

Tensor neg(const Tensor& x, Caller at = Caller::here());
inline Tensor operator-(const Operand& x) { return neg(x.tensor, x.at); }
Tensor abs(const Tensor& x, Caller at = Caller::here());
Tensor sign(const Tensor& x, Caller at = Caller::here());
Tensor floor(const Tensor& x, Caller at = Caller::here());
Tensor ceil(const Tensor& x, Caller at = Caller::here());
Tensor round(const Tensor& x, Caller at = Caller::here());
Tensor exp(const Tensor& x, Caller at = Caller::here());
Tensor expm1(const Tensor& x, Caller at = Caller::here());
Tensor log(const Tensor& x, Caller at = Caller::here());
Tensor log1p(const Tensor& x, Caller at = Caller::here());
Tensor sqrt(const Tensor& x, Caller at = Caller::here());
Tensor rsqrt(const Tensor& x, Caller at = Caller::here());
Tensor reciprocal(const Tensor& x, Caller at = Caller::here());
Tensor square(const Tensor& x, Caller at = Caller::here());
Tensor sin(const Tensor& x, Caller at = Caller::here());
Tensor cos(const Tensor& x, Caller at = Caller::here());
Tensor tanh(const Tensor& x, Caller at = Caller::here());
Tensor sigmoid(const Tensor& x, Caller at = Caller::here());
Tensor erf(const Tensor& x, Caller at = Caller::here());

// Activations.
Tensor relu(const Tensor& x, Caller at = Caller::here());
Tensor leaky_relu(const Tensor& x, double slope = 0.01, Caller at = Caller::here());
Tensor elu(const Tensor& x, double alpha = 1.0, Caller at = Caller::here());
Tensor softplus(const Tensor& x, Caller at = Caller::here());
Tensor silu(const Tensor& x, Caller at = Caller::here());
// x Phi(x) (Hendrycks and Gimpel 2016), and its tanh approximation.
Tensor gelu(const Tensor& x, Caller at = Caller::here());
Tensor gelu_tanh(const Tensor& x, Caller at = Caller::here());
Tensor hard_sigmoid(const Tensor& x, Caller at = Caller::here());
Tensor hard_swish(const Tensor& x, Caller at = Caller::here());

Tensor clamp(const Tensor& x, double low, double high, Caller at = Caller::here());
// condition (bool) ? a : b, all three broadcast.
Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b, Caller at = Caller::here());
Tensor to_dtype(const Tensor& x, DType dtype, Caller at = Caller::here());

// In place, for buffers and for parameters under NoGrad: nothing is recorded, so x or y that wants
// a gradient is refused where gradients are on. x keeps its shape and type, y broadcasts to it;
// they may overlap in memory. An x in which elements share memory (expanded) is refused. copy_: x =
// y; add_: x = x + scale y; mul_: x = factor x; fill_: x = value.
void copy_(const Tensor& x, const Tensor& y, Caller at = Caller::here());
void add_(const Tensor& x, const Tensor& y, double scale = 1.0, Caller at = Caller::here());
void mul_(const Tensor& x, double factor, Caller at = Caller::here());
void fill_(const Tensor& x, double value, Caller at = Caller::here());

}  // namespace strata
