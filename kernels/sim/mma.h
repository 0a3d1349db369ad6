// ldmatrix, stmatrix and mma in the simulator: see mma.cpp.
#pragma once

#include <cstdint>

#include "kernels/sim/site.h"

namespace strata::sim {

enum class MatrixType : uint8_t { bf16, f16, tf32, e4m3, e5m2, int8 };

void ldmatrix(int count, bool transposed, uint32_t* registers, const void* row, Site site);
void stmatrix(int count, bool transposed, void* row, const uint32_t* registers, Site site);
uint32_t round_to_tf32(float value);
// tiles_m x tiles_n products of 16 x 8: d[tiles_m][tiles_n][4] of float, or of int for int8;
// a[tiles_m][4], b[tiles_n][2].
void mma(MatrixType type, int tiles_m, int tiles_n, void* d, const uint32_t* a, const uint32_t* b,
         Site site);

}  // namespace strata::sim
