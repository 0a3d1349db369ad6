// The arithmetic of the simulated tensor cores, shared by mma and wgmma: products are exact, sums
// are f32, added in the order of k, rounded to nearest. (The hardware aligns and truncates: the
// last bits differ.)
#pragma once

#include <array>
#include <bit>
#include <cstdint>

#include "kernels/common/numeric.h"
#include "kernels/sim/mma.h"

namespace strata::sim {

// Bytes of an element in a fragment or in shared memory.
constexpr int size_of(MatrixType type) {
  return type == MatrixType::tf32 ? 4 : type == MatrixType::bf16 || type == MatrixType::f16 ? 2 : 1;
}
constexpr const char* name_of(MatrixType type) {
  constexpr const char* names[] = {"bf16", "f16", "tf32", "e4m3", "e5m2", "int8"};
  return names[static_cast<int>(type)];
}

extern const std::array<float, 256> e4m3_values, e5m2_values;  // by bit pattern

// The elements of a floating type that lie in `count` 32-bit words, low bits first.
template <MatrixType Type>
inline void decode(const uint32_t* words, int count, float* out) {
  for (int i = 0; i < count; ++i) {
    const uint32_t word = words[i];
    if constexpr (Type == MatrixType::bf16) {
      out[2 * i] = std::bit_cast<float>(word << 16);
      out[2 * i + 1] = std::bit_cast<float>(word & 0xffff0000u);
    } else if constexpr (Type == MatrixType::f16) {
      out[2 * i] = std::bit_cast<f16>(static_cast<uint16_t>(word));
      out[2 * i + 1] = std::bit_cast<f16>(static_cast<uint16_t>(word >> 16));
    } else if constexpr (Type == MatrixType::tf32) {  // what does not fit is truncated
      out[i] = std::bit_cast<float>(word & 0xffffe000u);
    } else {
      const auto& values = Type == MatrixType::e4m3 ? e4m3_values : e5m2_values;
      for (int byte = 0; byte < 4; ++byte) out[4 * i + byte] = values[word >> (8 * byte) & 0xffu];
    }
  }
}

// c[m][n] += a[m][k] b[k][n]; m and n are multiples of 8.
void multiply_add(const float* a, const float* b, float* c, int m, int n, int k);
void multiply_add(const int32_t* a, const int32_t* b, int32_t* c, int m, int n,
                  int k);  // modulo 2^32

}  // namespace strata::sim
