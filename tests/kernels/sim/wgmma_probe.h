// A kernel that lays wgmma open, for wgmma_test.cpp: it issues one product on raw images of shared
// memory.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/gpu/tensor_map.h"

namespace strata::test {

enum class WgmmaKind { bf16, f16, tf32, e4m3, e5m2 };

// An operand as its descriptor names it: bytes from the start of the image.
struct WgmmaOperand {
  bool mn_major = false;
  gpu::Swizzle swizzle = gpu::Swizzle::none;
  unsigned tile = 0, advance = 0;  // where the tile begins; how far the product's part lies in it
  unsigned leading = 0, stride = 0;
};

struct WgmmaProbe {
  WgmmaKind kind = WgmmaKind::bf16;
  int n = 8;
  WgmmaOperand a, b;
  bool a_in_registers = false, accumulate = true;
};

// The n that are compiled for a kind: all multiples of 8 up to 256 for bf16 in K-major, a selection
// otherwise.
std::vector<int> probed_n(WgmmaKind kind, bool a_mn_major, bool b_mn_major, bool a_in_registers);

// d[64][n] = or += A B. `image` is what shared memory holds, `a` (device memory) the matrix
// A[64][k], row-major, for a_in_registers.
void probe_wgmma(const WgmmaProbe& probe, const unsigned char* image, unsigned bytes,
                 const unsigned char* a, float* d);

// d[64][128] = A[64][64] B[64][128] of bf16 through tensor maps and descriptor_k128 /
// descriptor_mn128, in four products a group. A is stored [64][64] as m, k or (mn-major) k, m; B
// [128][64] or [64][128].
void probe_tma_wgmma(bool a_mn_major, bool b_mn_major, const void* a, const void* b, float* d);

}  // namespace strata::test
