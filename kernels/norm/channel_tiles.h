// How the channel kernels walk a [samples, rows, C] array. For C = 3 as for C = 2048, every access
// should be 16 bytes a thread and contiguous over a warp: `repeat` neighbouring rows are taken as
// one wide row of repeat C elements, a multiple of the chunk and, for small C, at least a warp's
// width. A thread owns one chunk of columns of the wide row, and so W fixed channels, whose
// constants and sums stay in its registers while it goes down the rows.
//
// A block has 32 x 8 threads: 32 chunks, 8 rows at a time, 4 deep. The grid: tiles of columns,
// parts of the rows, samples.
#pragma once

#include <numeric>

#include "kernels/norm/channels.h"
#include "kernels/reduce/block_reduce.h"
#include "kernels/reduce/row.h"

namespace strata::gpu {

inline constexpr int tile_rows = 8, tile_depth = 4;

struct ChannelTiles {
  int64_t samples, rows;
  int channels, repeat, width;   // width = repeat channels
  int64_t wide_rows, part_rows;  // of a sample, of a part
  int64_t whole;                 // wide rows of which all elements exist
  int rest;                      // elements of the one after those
  int parts, tiles;

  LaunchConfig config() const {
    const int64_t most = 65535;
    return {.grid = dim3(static_cast<unsigned>(tiles), static_cast<unsigned>(parts),
                         static_cast<unsigned>(samples < most ? samples : most)),
            .block = dim3(32, tile_rows)};
  }
};
// At most `blocks_each` blocks a multiprocessor, so that partial sums stay few.
template <class T>
ChannelTiles channel_tiles(int64_t samples, int64_t rows, int64_t channels, int blocks_each) {
  constexpr int64_t W = vector_width<T>;
  if (channels > int64_t{1} << 26)
    throw Error("channel kernels: " + std::to_string(channels) + " channels; they take up to 2^26");
  ChannelTiles t{};
  t.samples = samples;
  t.rows = rows;
  t.channels = static_cast<int>(channels);
  int64_t repeat = W / std::gcd(W, channels);
  if (repeat * channels < 32 * W) repeat *= 32 * W / (repeat * channels);
  t.repeat = static_cast<int>(repeat);
  t.width = static_cast<int>(repeat * channels);
  t.wide_rows = (rows + repeat - 1) / repeat;
  t.whole = rows * channels / t.width;
  t.rest = static_cast<int>(rows * channels % t.width);
  t.tiles = static_cast<int>(divide_up(t.width, 32 * W));
  const int64_t wanted = int64_t{device().multiprocessors} * blocks_each;
  const int64_t room = (wanted + t.tiles * samples - 1) / (t.tiles * samples);
  const int64_t most = (t.wide_rows + tile_rows * tile_depth - 1) / (tile_rows * tile_depth);
  const int64_t parts = room < most ? room : most;
  t.part_rows = (t.wide_rows + parts - 1) / parts;
  t.parts = static_cast<int>((t.wide_rows + t.part_rows - 1) / t.part_rows);
  return t;
}

// How many of the wide rows begin..end have an element in this column.
DEVICE int64_t rows_with(const ChannelTiles& t, int column, int64_t begin, int64_t end) {
  if (column >= t.width) return 0;
  const int64_t all = t.whole + (column < t.rest);
  return (all < end ? all : end) - begin;
}

// Where a thread stands.
template <class T>
struct TileColumn {
  static constexpr int W = vector_width<T>;
  int column;          // of the wide row, of the thread's first element
  int64_t begin, end;  // wide rows of the part
  int64_t total;       // elements of a sample

  DEVICE explicit TileColumn(const ChannelTiles& t) {
    column = static_cast<int>(blockIdx.x * 32 + threadIdx.x) * W;
    begin = blockIdx.y * t.part_rows;
    end = begin + t.part_rows < t.wide_rows ? begin + t.part_rows : t.wide_rows;
    total = t.rows * t.channels;
  }
  // Elements of wide row r that exist: less than width in the last one, none past the part.
  DEVICE int length(const ChannelTiles& t, int64_t r) const {
    if (r >= end) return 0;
    const int64_t left = total - r * t.width;
    return left < t.width ? static_cast<int>(left) : t.width;
  }
  // Rows of the part in which element j of the thread exists.
  DEVICE int64_t count(const ChannelTiles& t, int j) const {
    return rows_with(t, column + j, begin, end);
  }
};

// Calls f(j, channel of element j).
template <class T, class F>
DEVICE void for_each_channel(const ChannelTiles& t, int column, F f) {
#pragma unroll
  for (int j = 0; j < vector_width<T>; ++j) f(j, (column + j) % t.channels);
}

template <class C>
DEVICE C fused_multiply_add(C a, C b, C c) {
  if constexpr (std::is_same_v<C, double>)
    return ::fma(a, b, c);
  else
    return ::fmaf(a, b, c);
}

// The constants of y = (x - mean) factor + offset for a thread's channels. The mean rounded to the
// compute type would shift the result when it is large, so what rounding took is put into the
// offset. One formula, with the same rounding, for the forward pass and for the backward pass that
// looks at its sign again.
template <class T>
struct ChannelAffine {
  using C = Compute<T>;
  C mean[vector_width<T>], factor[vector_width<T>], offset[vector_width<T>];

  // factor, offset null: only the mean.
  DEVICE void load(const ChannelTiles& t, int column, int64_t sample, const double* means,
                   const double* factors, const double* offsets) {
    for_each_channel<T>(t, column, [&](int j, int channel) {
      const int64_t at = sample * t.channels + channel;
      mean[j] = static_cast<C>(means[at]);
      if (!factors) return;
      factor[j] = static_cast<C>(factors[at]);
      offset[j] =
          static_cast<C>(offsets[at] - (means[at] - static_cast<double>(mean[j])) * factors[at]);
    });
  }
  DEVICE C operator()(C x, int j) const {
    return fused_multiply_add(x - mean[j], factor[j], offset[j]);
  }
};

// Where the gradient passes: everywhere, where y > 0, or where y worked out again is > 0.
enum class Mask { none, saved, recomputed };
template <class F>
void visit_mask(bool relu, bool saved, F&& f) {
  if (!relu)
    f.template operator()<Mask::none>();
  else if (saved)
    f.template operator()<Mask::saved>();
  else
    f.template operator()<Mask::recomputed>();
}
template <Mask mask, class T>
DEVICE Compute<T> masked_gradient(Compute<T> dy, Compute<T> x, Compute<T> y,
                                  const ChannelAffine<T>& affine, int j) {
  if constexpr (mask == Mask::saved) return y > 0 ? dy : Compute<T>(0);
  if constexpr (mask == Mask::recomputed) return affine(x, j) > 0 ? dy : Compute<T>(0);
  return dy;
}

}  // namespace strata::gpu
