// N neighbouring elements between memory and the registers of a thread, in accesses of at most 16
// bytes. Addresses are multiples of 16 bytes, or of N elements where these are fewer bytes; N = 1
// goes anywhere.
#pragma once

#include "kernels/gpu/memory.h"

namespace strata::gpu {

template <int N, class T>
DEVICE void load_elements(T (&elements)[N], const T* from) {
  constexpr int piece = N < vector_width<T> ? N : vector_width<T>;
  if constexpr (N == 1) {
    elements[0] = *from;
  } else {
#pragma unroll
    for (int i = 0; i < N; i += piece) {
      const Vec<T, piece> part = load_vector<piece>(from + i);
#pragma unroll
      for (int j = 0; j < piece; ++j) elements[i + j] = part[j];
    }
  }
}
template <int N, class T>
DEVICE void store_elements(T* to, const T (&elements)[N]) {
  constexpr int piece = N < vector_width<T> ? N : vector_width<T>;
  if constexpr (N == 1) {
    *to = elements[0];
  } else {
#pragma unroll
    for (int i = 0; i < N; i += piece) {
      Vec<T, piece> part;
#pragma unroll
      for (int j = 0; j < piece; ++j) part[j] = elements[i + j];
      store_vector(to + i, part);
    }
  }
}

}  // namespace strata::gpu
