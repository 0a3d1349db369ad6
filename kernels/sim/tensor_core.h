// The arithmetic of the simulated tensor cores, shared by mma and wgmma: products are exact, sums
// are f32, added in the order of k, rounded to nearest. (The hardware aligns and truncates: the
// last bits differ.)
#pragma once

#include <cstdint>

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

// The elements of a floating type that lie in `count` 32-bit words, low bits first.
void decode(MatrixType type, const uint32_t* words, int count, float* out);

// c[m][n] += a[m][k] b[k][n]; m and n are multiples of 8.
void multiply_add(const float* a, const float* b, float* c, int m, int n, int k);
void multiply_add(const int32_t* a, const int32_t* b, int32_t* c, int m, int n,
                  int k);  // modulo 2^32

}  // namespace strata::sim
