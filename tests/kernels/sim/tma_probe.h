// Kernels that show what the copy engine moves, for tma_test.cpp. Tiles go out and come in as the
// raw bytes of shared memory; the numbers of bytes are those of a whole box.
#pragma once

#include <array>
#include <cstdint>

#include "kernels/gpu/tensor_map.h"

namespace strata::test {

// A request for a tensor map, as tensor_map() takes it. Unused axes are left zero.
struct Tensor {
  DType dtype = DType::f32;
  const void* base = nullptr;
  int rank = 1;
  std::array<int64_t, 5> sizes{},
      strides{};  // strides in elements, of axes 1 and up (strides[0] is not used)
  std::array<int, 5> box{};
  gpu::Swizzle swizzle = gpu::Swizzle::none;
};
// The same for im2col_map().
struct Image {
  DType dtype = DType::f32;
  const void* base = nullptr;
  std::array<int64_t, 4> sizes{};    // c, w, h, n
  std::array<int64_t, 3> strides{};  // elements, of w, h, n
  std::array<int, 2> lower{}, upper{}, steps{1, 1};
  int channels = 0, pixels = 0;
  gpu::Swizzle swizzle = gpu::Swizzle::none;
};
using Coordinates = std::array<int, 5>;

// tile[bytes] = the box at these coordinates, loaded at byte `offset` of shared memory.
void probe_load(const Tensor& tensor, const Coordinates& at, unsigned offset, unsigned bytes,
                unsigned char* tile);
// A cluster of `blocks`: block r loads the box at {at[0], at[1] + r * step, ...} into every block
// of `mask`. tiles[block][r][bytes]; what is not loaded stays 0xee.
void probe_multicast(const Tensor& tensor, const Coordinates& at, int step, int blocks,
                     uint16_t mask, unsigned bytes, unsigned char* tiles);
void probe_im2col(const Image& image, const std::array<int, 4>& at,
                  const std::array<uint16_t, 2>& offsets, unsigned bytes, unsigned char* tile);
// Stores or adds tile[bytes] at these coordinates.
void probe_store(const Tensor& tensor, const Coordinates& at, bool add, unsigned bytes,
                 const unsigned char* tile);
// to[bytes] = from[bytes], or += as floats, through shared memory; by `blocks` blocks.
void probe_bulk(const void* from, void* to, bool add, unsigned bytes, int blocks);

}  // namespace strata::test
