// The state of an online softmax: the largest element so far, and the sum of exp(x - largest),
// rescaled whenever a larger one comes. Two states combine, so any tree of threads may share a row.
// Source: Milakov and Gimelshein 2018, "Online normalizer calculation for softmax".
#pragma once

#include "kernels/gpu/convert.h"
#include "kernels/reduce/block_reduce.h"
#include "kernels/reduce/row.h"

namespace strata::gpu {

template <class C>
inline constexpr C infinity = std::numeric_limits<C>::infinity();
template <class T>
DEVICE T minus_infinity() {
  return from_compute<T>(-infinity<Compute<T>>);
}
// What is subtracted before exp: 0 while the maximum is infinite, so that no inf - inf arises.
template <class C>
DEVICE C shift_of(C largest) {
  return largest < infinity<C> && largest > -infinity<C> ? largest : C(0);
}

// e^x to the precision that T can show. 16-bit types: 2^(x log2(e)) by the hardware's
// approximation, in two instructions; its error is near 2 + |x| units of f32's last place, and
// results below 2^-126 are 0. That is exponential<T> without the four instructions that keep those.
template <class T>
DEVICE Compute<T> exponential_or_zero(Compute<T> x) {
  if constexpr (std::is_same_v<T, Compute<T>>) {
    return exponential<T>(x);
  } else {
    constexpr float log2_e = 1.44269504f;
    float result = x * log2_e;
    PTX(asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(result));)
    SIM(result = ::exp2f(result); result = result < 0x1p-126f ? 0.0f : result;)
    return result;
  }
}

// The larger of two; a NaN is passed over, on either side.
struct LargerNumber {
  DEVICE float operator()(float a, float b) const { return ::fmaxf(a, b); }
  DEVICE double operator()(double a, double b) const { return ::fmax(a, b); }
};
// x[0] op .. op x[W - 1] by pairs: a chain of log2(W) operations instead of W - 1.
template <int W, class C, class Op>
DEVICE C combine_pairs(const C (&x)[W], Op op) {
  C values[W];
#pragma unroll
  for (int j = 0; j < W; ++j) values[j] = x[j];
#pragma unroll
  for (int half = W / 2; half > 0; half /= 2)
#pragma unroll
    for (int j = 0; j < half; ++j) values[j] = op(values[j], values[j + half]);
  return values[0];
}

template <class T>
struct OnlineSoftmax {
  using C = Compute<T>;
  C largest, sum;

  DEVICE static OnlineSoftmax empty() { return {-infinity<C>, C(0)}; }
  template <int W>
  DEVICE void add(const C (&x)[W]) {
    const C next = LargerNumber{}(largest, combine_pairs(x, LargerNumber{}));
    const C shift = shift_of(next);
    C shares[W];
#pragma unroll
    for (int j = 0; j < W; ++j) shares[j] = exponential_or_zero<T>(x[j] - shift);
    sum = sum * exponential_or_zero<T>(largest - shift) + combine_pairs(shares, Add{});
    largest = next;
  }
  // The sum, or NaN where the maximum is infinite: such a row has no softmax.
  DEVICE C total() const { return largest < infinity<C> && largest > -infinity<C> ? sum : C(NAN); }
};
// One exponential: the other sum's factor is 1. Equal maxima, infinite ones too, leave both sums.
struct CombineOnline {
  template <class T>
  DEVICE OnlineSoftmax<T> operator()(const OnlineSoftmax<T>& a, const OnlineSoftmax<T>& b) const {
    using C = Compute<T>;
    const bool first = a.largest >= b.largest;
    const C above = first ? a.largest : b.largest, below = first ? b.largest : a.largest;
    const C factor = exponential_or_zero<T>(below == above ? C(0) : below - above);
    return {above, first ? a.sum + b.sum * factor : b.sum + a.sum * factor};
  }
};

}  // namespace strata::gpu
