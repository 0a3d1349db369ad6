// Kernels that lay the tensor cores' fragments open, for matrix_test.cpp: one warp, operands and
// results in device memory, row-major.
#pragma once

#include <cstdint>

namespace strata::test {

enum class MmaKind { bf16, f16, tf32, int8, e4m3, e5m2 };

// registers[count][32] = what ldmatrix leaves in each lane, of `matrices` = count 8x8 matrices of
// 16 bits.
void probe_ldmatrix(int count, bool transposed, const uint16_t* matrices, uint32_t* registers);
// The reverse, through stmatrix.
void probe_stmatrix(int count, bool transposed, const uint32_t* registers, uint16_t* matrices);
// d[16][8] += a[16][k] b[k][8], elements as bit patterns of the type; d is float, or int for int8.
void probe_mma(MmaKind kind, const void* a, const void* b, void* d);
// d[32][24] += a[32][16] b[16][24] in bf16 (tf32: k = 8) by one mma_tile.
void probe_mma_tile(bool tf32, const void* a, const void* b, float* d);
void probe_to_tf32(int n, const float* values, uint32_t* bits);

}  // namespace strata::test
