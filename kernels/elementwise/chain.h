// A chain of elementwise functions in one pass: the intermediate values stay in registers, so that
// k steps over arrays in memory cost the traffic of one.
//
//   value = operand 1
//   for each step: value = f(value), or f(value, operand k), or f(operand k, value)
//   out = value
//
// Values are kept in the compute type (f32 or f64) between steps and rounded once, at the end.
// Example: x * sigmoid(a x + b) of four arrays' worth of traffic instead of ten.
#pragma once

#include "kernels/elementwise/elementwise.h"

namespace strata {

inline constexpr int max_chain_steps = 8;

struct ChainStep {
  int operand = 0;       // 0: a function of the value alone; 1..3: of the value and this operand
  bool swapped = false;  // the operand comes first
  Unary unary = Unary::identity;
  Binary binary = Binary::add;
  double parameter[2] = {};
};

struct Chain {
  int count = 0;
  ChainStep steps[max_chain_steps];
};

// The chain's steps, for callers: chain.then(Unary::exp).then(Binary::mul, 2).
inline Chain& then(Chain& chain, Unary function, double first = 0, double second = 0) {
  chain.steps[chain.count++] = {0, false, function, Binary::add, {first, second}};
  return chain;
}
inline Chain& then(Chain& chain, Binary function, int operand, bool swapped = false,
                   double parameter = 0) {
  chain.steps[chain.count++] = {operand, swapped, Unary::identity, function, {parameter, 0}};
  return chain;
}

namespace cpu {
void chain(const Chain& chain, ElementwiseArgs& args);
}
namespace gpu {
void chain(const Chain& chain, cpu::ElementwiseArgs& args);
}

}  // namespace strata
