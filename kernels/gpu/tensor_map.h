// Tensor maps: what the copy engine (TMA, sm_90) must know of a tensor in global memory and of the
// box that it moves. Made on the host, passed to a kernel as `const __grid_constant__ TensorMap
// map`. Axis 0 is the contiguous one. A box may reach outside the tensor: such elements are loaded
// as zero and not stored. Source: CUDA Driver API, "Tensor Map Object Management".
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>

#include "kernels/common/numeric.h"
#if defined(__CUDACC__) || defined(STRATA_CUDA)
#include <cuda.h>
#endif

namespace strata::gpu {

// How the 16-byte chunks of a tile are permuted in shared memory, so that the rows of a column fall
// into different banks: of the byte address, bits 4-6 are xored with bits 7-9 (b128), 4-5 with 7-8
// (b64), 4 with 7 (b32). The inner box is then 128, 64 or 32 bytes, and the tile begins where the
// pattern does, at a multiple of 1024, 512 or 256.
enum class Swizzle : uint8_t { none, b32, b64, b128 };

constexpr int swizzle_span(Swizzle swizzle) {
  return swizzle == Swizzle::none ? 16 : 16 << static_cast<int>(swizzle);
}

// Where a byte of a tile lies, from where it would lie without the swizzle; both counted from the
// beginning of shared memory, or of a tile that is aligned to the pattern.
constexpr uint32_t swizzled(uint32_t offset, Swizzle swizzle) {
  return offset ^ (offset >> 7 & ((1u << static_cast<int>(swizzle)) - 1)) << 4;
}
// The bytes after which the pattern repeats, to which a tile must be aligned.
constexpr uint32_t swizzle_pattern(Swizzle swizzle) {
  return swizzle == Swizzle::none ? 128 : 128u << static_cast<int>(swizzle);
}

#if defined(__CUDACC__) || defined(STRATA_CUDA)
using TensorMap = CUtensorMap;
#else
// The simulator's: what the driver would encode.
struct alignas(64) TensorMap {
  static constexpr uint32_t right_magic = 0x7a61b0c5;
  uint32_t magic;
  uint8_t rank;
  DType dtype;
  Swizzle swizzle;
  bool im2col;
  unsigned char* base;
  uint64_t sizes[5], strides[5];  // elements; bytes
  uint16_t box[5];                // im2col: channels, pixels
  int8_t lower[2], upper[2];      // im2col, {w, h}
  uint8_t steps[2];
};
static_assert(sizeof(TensorMap) == 128);
#endif

// The request for a map, before it is encoded. Strides in bytes.
struct TensorLayout {
  DType dtype = DType::f32;
  const void* base = nullptr;
  int rank = 0;
  std::array<int64_t, 5> sizes{}, strides{};
  std::array<int, 5> box{};
  Swizzle swizzle = Swizzle::none;
  bool im2col = false;
  std::array<int, 2> lower{}, upper{}, steps{1, 1};
};

// Throws gpu::Error for rules that are broken, naming the numbers.
void check(const TensorLayout& layout);
// By the driver, or for the simulator.
TensorMap encode(const TensorLayout& layout);

TensorLayout tiled_layout(DType dtype, const void* base, std::initializer_list<int64_t> sizes,
                          std::initializer_list<int64_t> strides, std::initializer_list<int> box,
                          Swizzle swizzle);
TensorLayout im2col_layout(DType dtype, const void* base, const std::array<int64_t, 4>& sizes,
                           const std::array<int64_t, 3>& strides, const std::array<int, 2>& lower,
                           const std::array<int, 2>& upper, int channels, int pixels,
                           const std::array<int, 2>& steps, Swizzle swizzle);

// A tensor of up to 5 axes and a box of it: `sizes` and `box` of axes 0, 1, ...; `strides` of axes
// 1, 2, ... in elements.
inline TensorMap tensor_map(DType dtype, const void* base, std::initializer_list<int64_t> sizes,
                            std::initializer_list<int64_t> strides, std::initializer_list<int> box,
                            Swizzle swizzle) {
  return encode(tiled_layout(dtype, base, sizes, strides, box, swizzle));
}

// A tensor of axes {c, w, h, n} from which tma_load_im2col takes `pixels` pixels of `channels`
// channels: base pixels w in [lower_w, W - 1 + upper_w], h likewise, in steps, w fastest, then h,
// then n. A convolution with padding p, filter size r, dilation d, stride s has lower = -p, upper =
// p - (r - 1) d, step = s; each place of the filter is one load, with its offset.
inline TensorMap im2col_map(DType dtype, const void* base, const std::array<int64_t, 4>& sizes,
                            const std::array<int64_t, 3>& strides, const std::array<int, 2>& lower,
                            const std::array<int, 2>& upper, int channels, int pixels,
                            const std::array<int, 2>& steps, Swizzle swizzle) {
  return encode(
      im2col_layout(dtype, base, sizes, strides, lower, upper, channels, pixels, steps, swizzle));
}

}  // namespace strata::gpu
