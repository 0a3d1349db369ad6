// Neighbouring elements between their own type and the type of arithmetic on them. Elements of 16
// bits travel in pairs, as they lie in a register of 32: an element costs one instruction to widen
// and half a one to round, where bf16 apart take two and one and another to put two together.
#pragma once

#include <bit>
#include <cstring>

#include "kernels/gpu/memory.h"

namespace strata::gpu {

// By value: from memory, the elements come by one load.
template <class T, int N>
DEVICE void expand(const Vec<T, N> elements, Compute<T> (&values)[N]) {
  if constexpr (std::is_same_v<T, bf16> && N % 2 == 0) {
    uint32_t pairs[N / 2];
    memcpy(pairs, &elements, sizeof pairs);
#pragma unroll
    for (int i = 0; i < N / 2; ++i) {
      values[2 * i] = std::bit_cast<float>(pairs[i] << 16);
      values[2 * i + 1] = std::bit_cast<float>(pairs[i] & 0xffff0000u);
    }
  } else {
#pragma unroll
    for (int i = 0; i < N; ++i) values[i] = widen(elements[i]);
  }
}

// Rounded to nearest even.
template <class T, int N>
DEVICE Vec<T, N> contract(const Compute<T> (&values)[N]) {
  Vec<T, N> elements;
  if constexpr (!std::is_same_v<T, Compute<T>> && N % 2 == 0) {
    uint32_t pairs[N / 2];
#pragma unroll
    for (int i = 0; i < N / 2; ++i) pairs[i] = pack<T>(values[2 * i], values[2 * i + 1]);
    memcpy(static_cast<void*>(&elements), pairs, sizeof pairs);
  } else {
#pragma unroll
    for (int i = 0; i < N; ++i) elements[i] = narrow<T>(values[i]);
  }
  return elements;
}

}  // namespace strata::gpu
