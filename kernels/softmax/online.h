// The state of an online softmax: the largest element so far, and the sum of exp(x - largest),
// rescaled whenever a larger one comes. Two states combine, so any tree of threads may share a row.
// Source: Milakov and Gimelshein 2018, "Online normalizer calculation for softmax".
#pragma once

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

template <class T>
struct OnlineSoftmax {
  using C = Compute<T>;
  C largest, sum;

  DEVICE static OnlineSoftmax empty() { return {-infinity<C>, C(0)}; }
  template <int W>
  DEVICE void add(const C (&x)[W]) {
    C next = largest;
#pragma unroll
    for (int j = 0; j < W; ++j) next = x[j] > next ? x[j] : next;
    const C shift = shift_of(next);
    sum *= exponential<T>(largest - shift);
#pragma unroll
    for (int j = 0; j < W; ++j) sum += exponential<T>(x[j] - shift);
    largest = next;
  }
  // The sum, or NaN where the maximum is infinite: such a row has no softmax.
  DEVICE C total() const { return largest < infinity<C> && largest > -infinity<C> ? sum : C(NAN); }
};
struct CombineOnline {
  template <class T>
  DEVICE OnlineSoftmax<T> operator()(const OnlineSoftmax<T>& a, const OnlineSoftmax<T>& b) const {
    const Compute<T> largest = b.largest > a.largest ? b.largest : a.largest;
    const Compute<T> shift = shift_of(largest);
    return {largest,
            a.sum * exponential<T>(a.largest - shift) + b.sum * exponential<T>(b.largest - shift)};
  }
};

// A chunk in the type of arithmetic.
template <class T>
DEVICE void expand(const Chunk<T>& chunk, Compute<T> (&values)[vector_width<T>]) {
#pragma unroll
  for (int j = 0; j < vector_width<T>; ++j) values[j] = to_compute(chunk[j]);
}

}  // namespace strata::gpu
