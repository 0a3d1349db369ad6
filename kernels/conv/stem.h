// What the passes of the stem share: a convolution over images of few channels (3) whose filter row
// is contiguous in memory. The channels of neighbouring pixels follow each other, so the S C values
// that a filter row meets from output pixel q are x[h, q sw - left ...], one run of elements.
//
// A tile is 8 x 16 output pixels. The part of the image that it sees, its patch, is brought into
// shared memory once, and the gathered matrix is never made: element (q, k) of it is
//
//   patch[row of the filter][q step + column of the filter row]     step = sw C
//
// and a fragment of a tensor core takes it from there. Each filter row is padded to octets, eight
// elements that one fragment's column of eight holds, so that an octet lies in one row: 7 x 21
// values are 21 octets instead of 147 / 8. The padding meets the next pixel's values, which may be
// NaN: the forward pass masks them, the weight gradient does not keep their columns.
#pragma once

#include "kernels/conv/gather.h"
#include "kernels/conv/rung.h"
#include "kernels/gpu/gpu.h"

namespace strata::gpu::conv {

// Of a tile: output rows, output columns, channels out.
constexpr int stem_rows = 8, stem_columns = 16, stem_channels = 64, stem_threads = 128;

struct StemShape {
  int H = 0, width = 0;  // of the image; width in elements, W C
  int P = 0, Q = 0, O = 0;
  int stride_h = 1, step = 0, dilation_h = 1, top = 0, left = 0;  // step, left in elements
  int R = 0, filter_row = 0;                                      // filter_row = S C
  int octets_a_row = 0, octets = 0;
  int patch_rows = 0, pitch = 0;  // pitch in elements, even
  Divisor per_pitch;
  int down = 0, across = 0, tiles = 0;

  explicit StemShape(const ConvShape& k) {
    auto narrow = [](int64_t value) { return static_cast<int>(value); };
    H = narrow(k.H), width = narrow(k.W * k.C);
    P = narrow(k.P), Q = narrow(k.Q), O = narrow(k.O);
    stride_h = narrow(k.stride_h), step = narrow(k.stride_w * k.C);
    dilation_h = narrow(k.dilation_h), top = narrow(k.top), left = narrow(k.left * k.C);
    R = narrow(k.R), filter_row = narrow(k.S * k.C);
    octets_a_row = (filter_row + 7) / 8, octets = R * octets_a_row;
    patch_rows = (stem_rows - 1) * stride_h + (R - 1) * dilation_h + 1;
    pitch = ((stem_columns - 1) * step + octets_a_row * 8 + 1) / 2 * 2;
    per_pitch = Divisor(pitch);
    down = (P + stem_rows - 1) / stem_rows, across = (Q + stem_columns - 1) / stem_columns;
    tiles = narrow(k.N) * down * across;
  }
  __host__ __device__ size_t patch_bytes() const {
    return (static_cast<size_t>(patch_rows) * static_cast<size_t>(pitch) * 2 + 15) / 16 * 16;
  }
  // Where an octet begins in the patch, seen from the tile's first pixel.
  __host__ __device__ int octet(int index) const {
    return index / octets_a_row * dilation_h * pitch + index % octets_a_row * 8;
  }
};

struct StemTile {
  int n, p, q;  // image, first output row and column

  DEVICE StemTile(const StemShape& s, int index) {
    const int row = index / s.across;
    q = (index - row * s.across) * stem_columns;
    n = row / s.down;
    p = (row - n * s.down) * stem_rows;
  }
};

// What the tile sees of x, zeros in the padding. The thread's loads of a batch are all under way
// before the first is stored.
template <class T>
DEVICE void load_patch(T* patch, const T* x, const StemShape& s, StemTile tile) {
  constexpr int batch = 8;
  const int first_h = tile.p * s.stride_h - s.top, first_e = tile.q * s.step - s.left;
  const T* image = x + static_cast<int64_t>(tile.n) * s.H * s.width;
  const int size = s.patch_rows * s.pitch;
  for (int begin = static_cast<int>(threadIdx.x); begin < size; begin += batch * stem_threads) {
    T values[batch];
#pragma unroll
    for (int i = 0; i < batch; ++i) {
      const int index = begin + i * stem_threads, row = s.per_pitch.quotient(index);
      const int h = first_h + row, e = first_e + index - row * s.pitch;
      const bool inside = index < size && static_cast<unsigned>(h) < static_cast<unsigned>(s.H) &&
                          static_cast<unsigned>(e) < static_cast<unsigned>(s.width);
      values[i] = inside ? image[static_cast<int64_t>(h) * s.width + e] : T(0.0f);
    }
#pragma unroll
    for (int i = 0; i < batch; ++i)
      if (begin + i * stem_threads < size) patch[begin + i * stem_threads] = values[i];
  }
}

// The weight gradient has a file of its own.
bool stem_gradient_fits(const ConvShape& shape);
void stem_weight_gradient(const Problem& problem);

}  // namespace strata::gpu::conv
