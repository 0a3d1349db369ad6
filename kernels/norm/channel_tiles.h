// How the channel kernels walk a [samples, rows, C] array. For C = 3 as for C = 2048, every access
// should be 16 bytes a thread and contiguous over a warp: `repeat` neighbouring rows are taken as
// one wide row of repeat C elements, a multiple of the chunk and, for small C, at least a warp's
// width. A thread owns one chunk of columns of the wide row, and so W fixed channels, whose
// constants and sums stay in its registers while it goes down the rows.
//
// A block has 32 x 8 threads: 32 chunks, 8 rows at a time, a thread's next loads all under way
// before the first is used. The grid: tiles of columns of all samples, parts of the rows.
#pragma once

#include <numeric>

#include "kernels/gpu/convert.h"
#include "kernels/norm/channels.h"
#include "kernels/reduce/columns.h"
#include "kernels/reduce/rows_in_flight.h"

namespace strata::gpu {

inline constexpr int tile_rows = 8, tile_threads = 32 * tile_rows;
inline constexpr int least_rows = 4 * tile_rows;  // of a part

struct ChannelTiles {
  int64_t samples, rows;
  int channels, repeat, width;   // width = repeat channels
  int64_t wide_rows, part_rows;  // of a sample, of a part
  int64_t whole;                 // wide rows of which all elements exist
  int rest;                      // elements of the one after those
  int parts, tiles;

  int64_t total() const { return rows * channels; }  // elements of a sample
  LaunchConfig config() const {
    return {.grid = dim3(static_cast<unsigned>(tiles * samples), static_cast<unsigned>(parts)),
            .block = dim3(32, tile_rows)};
  }
};
// `blocks_each`: blocks that a multiprocessor holds. The grid is one wave of them, so that partial
// sums stay few and no block runs alone after the others; where tiles are too many for that, it is
// several waves, of which the last weighs little.
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
  if (t.tiles * samples >= int64_t{1} << 31)
    throw Error("channel kernels: " + std::to_string(samples) + " samples; they take up to 2^31");
  const int64_t wave = int64_t{device().multiprocessors} * blocks_each;
  const int64_t columns = t.tiles * samples;
  const int64_t room = std::max<int64_t>((4 * columns <= wave ? wave : 4 * wave) / columns, 1);
  const int64_t most = (t.wide_rows + least_rows - 1) / least_rows;
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

// Where a thread stands: its chunk of columns, and the wide rows of the part in which that exists.
template <class T>
struct TileColumn {
  static constexpr int W = vector_width<T>;
  int64_t sample;
  int tile, column;    // of the block; of the wide row, of the thread's first element
  int64_t begin, end;  // of the rows; end <= begin: none
  int64_t total;       // elements of a sample
  int rows;            // of the thread: begin + threadIdx.y, each 8 after the one before

  DEVICE explicit TileColumn(const ChannelTiles& t) {
    sample = blockIdx.x / static_cast<unsigned>(t.tiles);
    tile = static_cast<int>(blockIdx.x % static_cast<unsigned>(t.tiles));
    column = static_cast<int>(tile * 32 + threadIdx.x) * W;
    begin = blockIdx.y * t.part_rows;
    end = begin + rows_with(t, column, begin, begin + t.part_rows);
    total = t.rows * t.channels;
    const int64_t below = end - begin - threadIdx.y;
    rows = below > 0 ? static_cast<int>((below + tile_rows - 1) / tile_rows) : 0;
  }
  // Where the chunk lies in row `row` of the sample, and how many of its elements exist there: all,
  // but in the last chunk of a sample.
  DEVICE int64_t at(const ChannelTiles& t, int64_t row) const { return row * t.width + column; }
  template <bool Whole>
  DEVICE int length(int64_t at) const {
    return Whole || total - at >= W ? W : static_cast<int>(total - at);
  }
  template <bool Whole>
  DEVICE Words load(const void* x, int64_t at) const {
    const T* from = static_cast<const T*>(x) + sample * total + at;
    return words_of<T>(load_chunk<Whole>(from, 0, length<Whole>(at), from_compute<T>(0)));
  }
  template <bool Whole>
  DEVICE void store(void* y, int64_t at, const Compute<T> (&values)[W]) const {
    T* to = static_cast<T*>(y) + sample * total + at;
    const Chunk<T> chunk = contract<T>(values);
    if constexpr (Whole)
      store_vector(reinterpret_cast<uint32_t*>(to), words_of<T>(chunk));
    else
      store_chunk(to, 0, length<false>(at), chunk);
  }
};
// Whether all chunks are whole and begin on 16 bytes; an absent array (null) is no hindrance.
template <class T>
bool whole_tiles(const ChannelTiles& t, std::initializer_list<const void*> arrays) {
  return t.total() % vector_width<T> == 0 && std::all_of(arrays.begin(), arrays.end(), aligned);
}
// Launchers turn that into a template's parameter.
template <class F>
void visit_whole(bool whole, F&& f) {
  if (whole)
    f.template operator()<true>();
  else
    f.template operator()<false>();
}

// N constants of each of the block's columns. make(index in [samples, channels], k) makes those of
// one column, in f64; neighbouring threads do so for neighbouring columns, and then each thread
// takes those of its W columns: constants[n][j]. All threads of a block call it, once.
template <class C, int N, int W>
struct ColumnConstants {
  C value[N][32 * W];
};
template <int N, class T, class Make>
DEVICE void column_constants(const ChannelTiles& t, const TileColumn<T>& my, Make make,
                             Compute<T> (&constants)[N][vector_width<T>]) {
  constexpr int W = vector_width<T>;
  auto& share = block_shared<ColumnConstants<Compute<T>, N, W>>();
  for (int i = static_cast<int>(threadIdx.y * 32 + threadIdx.x); i < 32 * W; i += tile_threads) {
    const int column = my.tile * 32 * W + i;
    if (column >= t.width) break;
    Compute<T> k[N];
    make(my.sample * t.channels + column % t.channels, k);
#pragma unroll
    for (int n = 0; n < N; ++n) share.value[n][i] = k[n];
  }
  __syncthreads();
#pragma unroll
  for (int n = 0; n < N; ++n) load_elements<W>(constants[n], share.value[n] + threadIdx.x * W);
}

template <class C>
DEVICE C fused_multiply_add(C a, C b, C c) {
  if constexpr (std::is_same_v<C, double>)
    return ::fma(a, b, c);
  else
    return ::fmaf(a, b, c);
}

// y = (x - mean) factor + offset. The mean rounded to the compute type would shift the result when
// it is large, so what rounding took is put into the offset. One formula, with the same rounding,
// for the forward pass and for the backward pass that looks at its sign again.
enum { k_mean, k_factor, k_offset, affine_constants };
template <class C>
DEVICE void make_affine(double mean, double factor, double offset, C* k) {
  k[k_mean] = static_cast<C>(mean);
  k[k_factor] = static_cast<C>(factor);
  k[k_offset] = static_cast<C>(offset - (mean - static_cast<double>(k[k_mean])) * factor);
}
template <class C, int N, int W>
DEVICE C affine(const C (&k)[N][W], C x, int j) {
  return fused_multiply_add(x - k[k_mean][j], k[k_factor][j], k[k_offset][j]);
}

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

// The constants of the mask, first in a backward kernel's: the mean, and the affine map's others
// where it is worked out again.
template <Mask mask>
inline constexpr int mask_constants = mask == Mask::recomputed ? affine_constants : 1;
template <Mask mask, class C, class Args>
DEVICE void make_mask(const Args& args, int64_t at, C* k) {
  if constexpr (mask == Mask::recomputed)
    make_affine(args.mean[at], args.factor[at], args.offset[at], k);
  else
    k[k_mean] = static_cast<C>(args.mean[at]);
}

// A chunk of the arrays that a backward pass reads.
struct GradientWords {
  Words x, dy, y;

  // x, and the gradient where it passes.
  template <class T, Mask mask, int N, int W>
  DEVICE void masked(const Compute<T> (&k)[N][W], Compute<T> (&values)[W],
                     Compute<T> (&g)[W]) const {
    expand<T>(chunk_of<T>(x), values);
    expand<T>(chunk_of<T>(dy), g);
    Compute<T> saved[W];
    if constexpr (mask == Mask::saved) expand<T>(chunk_of<T>(y), saved);
#pragma unroll
    for (int j = 0; j < W; ++j) {
      if constexpr (mask == Mask::saved) g[j] = saved[j] > 0 ? g[j] : Compute<T>(0);
      if constexpr (mask == Mask::recomputed)
        g[j] = affine(k, values[j], j) > 0 ? g[j] : Compute<T>(0);
    }
  }
};
// How many rows of them a thread has in flight: what 128 registers hold beside the constants.
template <Mask mask, bool Whole>
inline constexpr int gradient_depth = !Whole                ? 1
                                      : mask == Mask::saved ? 3
                                                            : 4;
template <Mask mask, bool Whole, class T>
DEVICE GradientWords load_gradient(const TileColumn<T>& my, const void* x, const void* dy,
                                   const void* y, int64_t at) {
  GradientWords words;
  words.x = my.template load<Whole>(x, at);
  words.dy = my.template load<Whole>(dy, at);
  if constexpr (mask == Mask::saved) words.y = my.template load<Whole>(y, at);
  return words;
}

}  // namespace strata::gpu
