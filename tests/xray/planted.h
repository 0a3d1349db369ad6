// Kernels with one thing wrong each, for the tests of the x-ray: see planted.cu.
#pragma once

#include "kernels/common/numeric.h"

namespace strata::gpu::planted {

void transpose(bool padded, int n, const float* in, float* out);
void copy(int stride, int n, const float* in, float* out);
void neighbour(bool barrier, float* values);
void broadcast(bool synchronised, float* values);
void uninitialised(float* values);
void product(const bf16* a, const bf16* b, float* c);

}  // namespace strata::gpu::planted
