// The kernel of kernels/README.md, line by line (example_test.cpp compares and runs it).
// README begin
#include "kernels/gpu/gpu.h"

namespace strata::gpu {

__global__ void scale_kernel(int n, float factor, float* x) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < n) x[i] *= factor;
}

void scale(int n, float factor, float* x) {
  launch<scale_kernel>({.grid = divide_up(n, 256), .block = 256}, n, factor, x);
}

}  // namespace strata::gpu
