// Elementwise kernels: out[i] = f(in0[i], in1[i], ...) over any strides.
//
// One argument struct serves all of them. Operand 0 is the output, operands 1.. the inputs; each
// has a pointer to its first element, an element type and strides in elements (0 along a broadcast
// axis, negative for a flip). An operand whose type is not the one the kernel computes in is
// converted on the way, a cache-sized block at a time, so that promotion and 16-bit floats need no
// copies.
//
// Every kernel first drops axes of size 1, orders axes by the output's strides and joins those that
// lie together in memory; a pair of axes that two operands walk in opposite order is tiled. Above
// 32,768 elements the work is shared among threads; each element is computed alone, so results do
// not depend on how many there are. Cost: one pass, (bytes of inputs + bytes of output).
//
// The output may be one of the inputs exactly (same pointer and strides); it must not overlap one
// otherwise.
#pragma once

#include <cstdint>

#include "kernels/common/numeric.h"

namespace strata {

enum class Unary : uint8_t {
  identity,
  // Any type. Integers wrap (neg of u8 and abs of the smallest too).
  neg,
  abs,
  sign,
  square,
  relu,
  clamp,  // clamp: parameters low, high
  // Computed in f32 or f64; integer operands are converted on the way.
  floor,
  ceil,
  round,
  exp,
  expm1,
  log,
  log1p,
  sqrt,
  rsqrt,
  reciprocal,
  sin,
  cos,
  tanh,
  sigmoid,
  erf,
  leaky_relu,  // parameter: slope
  elu,         // parameter: alpha
  softplus,
  silu,
  gelu,
  gelu_tanh,
  hard_sigmoid,
  hard_swish,
};

enum class Binary : uint8_t {
  // Any type. Integers wrap; bool: add and maximum are or, mul and minimum are and.
  add,
  sub,
  mul,
  maximum,
  minimum,
  pow,  // integers: a negative exponent gives 1 / a cut to an integer (0 unless a is 1 or -1)
  add_scaled,  // a + parameter b; integers need a whole parameter
  // Computed in f32 or f64.
  div,
  masked_scale,  // b (bool) ? parameter a : 0
  // Gradients in one pass: first input what the forward pass kept, second the incoming gradient.
  // Kept is the result for relu, tanh and sigmoid, the input for the others.
  relu_gradient,
  tanh_gradient,
  sigmoid_gradient,
  leaky_relu_gradient,  // parameter: slope
  silu_gradient,
  gelu_gradient,
  gelu_tanh_gradient,
};

// Results are bool.
enum class Compare : uint8_t {
  equal,
  not_equal,
  less,
  less_equal,  // a > b is b < a
  logical_and,
  logical_or,
  logical_not,
  is_nan,  // one input
};

namespace cpu {

inline constexpr int max_axes = 8, max_operands = 4;

struct ElementwiseArgs {
  int rank;                                 // 0: one element
  int operands;                             // output and inputs
  int64_t sizes[max_axes];                  // outermost first
  int64_t strides[max_operands][max_axes];  // in elements
  void* data[max_operands];
  DType dtype[max_operands];
  DType compute;  // the type the kernel works in: f64, f32 or an integer type, never 16 bits
  // Operands that are one number: bit k of `numbers` is set, number[k] holds it as dtype[k], and
  // data[k] points at a copy in host memory, which kernels on the gpu must not follow.
  uint8_t numbers = 0;
  alignas(8) unsigned char number[max_operands][8];
  double parameter[2];
};

// Drops axes of size 1, orders the rest by the strides of operand 0, joins what lies together in
// memory; at least one axis is left. The kernels do this themselves. Returns the element count.
int64_t collapse(ElementwiseArgs& args);

void unary(Unary op, ElementwiseArgs& args);
void binary(Binary op, ElementwiseArgs& args);
void compare(Compare op, ElementwiseArgs& args);
// Operands: out, condition (bool), a, b.
void where(ElementwiseArgs& args);
// out = convert(in). Floats to integers: towards zero, saturating, NaN gives 0. To bool: x != 0.
// Integers to narrower integers keep the low bits.
void copy(ElementwiseArgs& args);
// One operand: out = convert(parameter[0]).
void fill(ElementwiseArgs& args);

// out[i] = convert(in[i * stride]) for i < n: the inner loop of copy(), for other kernels.
void convert(int64_t n, const void* in, DType in_type, int64_t in_stride, void* out, DType out_type,
             int64_t out_stride);

}  // namespace cpu

// The same on the current stream; pointers are device memory (numbers are taken by value).
// Integers and moved elements have the CPU's bits; functions of floats may differ in the last few.
namespace gpu {
void unary(Unary op, cpu::ElementwiseArgs& args);
void binary(Binary op, cpu::ElementwiseArgs& args);
void compare(Compare op, cpu::ElementwiseArgs& args);
void where(cpu::ElementwiseArgs& args);
void copy(cpu::ElementwiseArgs& args);
void fill(cpu::ElementwiseArgs& args);
}  // namespace gpu

}  // namespace strata
