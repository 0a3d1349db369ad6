// Reductions over any set of axes of a strided array, without copying it.
//
//   sum               sum x / divisor            squared_deviation  sum (x - shift)^2 / divisor
//   root_sum_squares  sqrt(sum x^2)              exponential_sum    sum exp(x - shift)
//   product, maximum, minimum, any, all
//
// Bytes: x is read once. The order of additions is a function of shape and strides alone, never of
// the thread count: work is cut into at most about 64 chunks, partial results are combined in
// order. Floats are added in blocks of a few thousand, as 64 or more interleaved sums of 32 terms,
// and the blocks are added in f64: the relative error of a sum of positive numbers stays near 1e-7
// whatever its length (blocked summation: Higham 1993, "The accuracy of floating point summation").
#pragma once

#include <cstdint>

#include "kernels/common/numeric.h"

namespace strata::cpu {

enum class ReduceKind {
  sum,                // floats -> the same; integers and bool -> i64 or f32; any -> f64
  squared_deviation,  // floats -> the same
  root_sum_squares,   // floats -> the same
  exponential_sum,    // floats -> f64 for f64, f32 for the others
  product,            // as sum
  maximum,            // any type -> the same; NaN wins
  minimum,
  any,  // any type -> bool; NaN is true
  all,
};

inline constexpr int max_reduce_rank = 8;

struct ReduceArgs {
  const void* x = nullptr;
  DType dtype = DType::f32;
  int rank = 0;
  const int64_t* shape = nullptr;
  const int64_t* strides = nullptr;  // in elements; 0 and negative ones are fine
  uint32_t reduced = 0;              // bit i: axis i is reduced
  void* out = nullptr;               // row-major over the axes that stay
  DType out_dtype = DType::f32;
  double divisor = 1;  // of sum and squared_deviation
  // One an output, in out's order. squared_deviation: f64; exponential_sum: f64 for f64 input, f32
  // for the other floats. Null: 0.
  const void* shift = nullptr;
};

void reduce(ReduceKind kind, const ReduceArgs& args);

// Index (i64) along `axis` of the first largest (or smallest) element; a NaN beats every number.
// `axis` has at least one element; args.reduced is ignored.
void arg_extreme(bool largest, int axis, const ReduceArgs& args);

// Sums of everything up to each element along `axis` (from the end if `reverse`), added in f64 or
// i64 and rounded once each. out: row-major in x's shape; integers and bool give i64.
void cumulative_sum(int axis, bool reverse, const ReduceArgs& args);

// For each element the product of the others of its line along `axis`: what the gradient of a
// product needs, correct where elements are 0. Floats; out: row-major in x's shape and type.
void product_of_others(int axis, const ReduceArgs& args);

}  // namespace strata::cpu

// The same on the GPU; the order of additions is again a function of shape and strides, and of the
// device. Rungs in rung.h; argument structs hold device pointers, except shape and strides.
namespace strata::gpu {
void reduce(cpu::ReduceKind kind, const cpu::ReduceArgs& args);
void arg_extreme(bool largest, int axis, const cpu::ReduceArgs& args);
void cumulative_sum(int axis, bool reverse, const cpu::ReduceArgs& args);
void product_of_others(int axis, const cpu::ReduceArgs& args);
}  // namespace strata::gpu
