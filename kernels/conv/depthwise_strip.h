// How the depthwise kernels walk over images. A thread owns a chunk of V channels and a strip some
// columns wide, and goes down it row by row: each element of the source is loaded and widened once
// for all K x K products of the strip, and the rows that are still needed stay in registers.
//
// Two arrays lie on one grid of rows: the source, which meets the taps, and the target, one row of
// which is finished by each step.
//
//   forward          source x,        target out       a step: `stride` rows of x, one of out
//   weight gradient  source x,        target gradient  the same
//   input gradient   source gradient  target gx        a step: one row of g, `stride` of gx
//
// With reach = (K - 1) / stride, a target row is finished `reach` steps after the first source row
// that it meets came by. All images lie in one line of steps, each with `reach` more than it has
// rows, and the line is cut into equal pieces, as many as the machine holds at a time; so no size
// of image leaves multiprocessors idle. A piece begins `reach` steps early.
#pragma once

#include <algorithm>

#include "kernels/conv/rung.h"
#include "kernels/gpu/convert.h"
#include "kernels/gpu/divisor.h"
#include "kernels/gpu/gpu.h"

namespace strata::gpu::conv {

// K x K taps, `width` columns of the target. Rows of the target under way are numbered from the
// oldest; the taps by which a source row or column reaches them are known to the compiler.
template <int K_, int stride_, bool transposed, int width_>
struct Strip {
  static constexpr int K = K_, stride = stride_, width = width_, taps = K * K;
  static constexpr int reach = (K - 1) / stride;
  // Steps after which rows under way bear the same names again, unless that is too long a text.
  static constexpr int unrolled = K == 7 ? 1 : reach + 1;
  static constexpr int rows_in = transposed ? 1 : stride, rows_out = transposed ? stride : 1;
  static constexpr int live = rows_out * (reach + 1);  // target rows under way
  static constexpr int step_in =
      transposed ? width / stride : width * stride;  // columns to the next
  static constexpr int columns = transposed ? step_in + reach : step_in - stride + K;
  static_assert(!transposed || width % stride == 0);

  // The tap between source row e of a step and target row m under way, or -1.
  static constexpr int tap_row(int e, int m) {
    const int r = transposed ? m : (reach - m) * stride + e;
    return r < K ? r : -1;
  }
  // The tap between source column j of the strip and its target column b, or -1.
  static constexpr int tap_column(int j, int b) {
    const int s = transposed ? b + (reach - j) * stride : j - b * stride;
    return s >= 0 && s < K ? s : -1;
  }
  // What source and target begin with, by the padding in front.
  static constexpr int first_source(int padding) {
    return transposed ? padding / stride - reach : -padding;
  }
  static constexpr int first_target(int padding) {
    return transposed ? padding / stride * stride - padding : 0;
  }
};

struct Walk {
  int C = 0, N = 0;
  int source_H = 0, source_W = 0, target_H = 0, target_W = 0;
  int source_row = 0, source_column = 0, target_row = 0, target_column = 0;  // the first
  int tiles = 1;              // strips next to each other
  int steps = 1;              // of an image
  int piece = 1, pieces = 1;  // steps of a piece beyond those that it begins early
  int across = 1, items = 1;  // chunks of channels, and strips, of a block
  gpu::Divisor by_tiles, by_steps, by_across;

  // Of the block.
  DEVICE int first_channel(int V) const { return static_cast<int>(blockIdx.y) * across * V; }
  DEVICE int channels(int V) const { return min(across * V, C - first_channel(V)); }
};

// Filters and sums of a block lie in shared memory as [chunks][taps][V]: from chunk to chunk an odd
// number of vectors, so that neighbouring threads meet in no bank. Where element i of that is in
// the weight, [channels][taps]:
template <int V, int taps>
DEVICE int filter_element(int i) {
  const int chunk = i / (taps * V), rest = i % (taps * V);
  return (chunk * V + rest % V) * taps + rest / V;
}

// A step of the line: image n, step u of it.
struct Cursor {
  int n, u;
  DEVICE void advance(const Walk& walk) {
    if (++u == walk.steps) u = 0, ++n;
  }
};

// What a thread owns. Threads of a warp have neighbouring chunks, then neighbouring strips.
struct Lane {
  int chunk, item;  // within the block
  int tile, piece;
  bool active;

  template <int V>
  DEVICE static Lane of(const Walk& walk) {
    const int thread = static_cast<int>(threadIdx.x);
    Lane lane;
    lane.item = static_cast<int>(walk.by_across.divide(static_cast<uint32_t>(thread)));
    lane.chunk = thread - lane.item * walk.across;
    const int strip = static_cast<int>(blockIdx.x) * walk.items + lane.item;
    lane.piece = static_cast<int>(walk.by_tiles.divide(static_cast<uint32_t>(strip)));
    lane.tile = strip - lane.piece * walk.tiles;
    lane.active =
        lane.item < walk.items && lane.piece < walk.pieces && lane.channel<V>(walk) < walk.C;
    return lane;
  }
  template <int V>
  DEVICE int channel(const Walk& walk) const {
    return walk.first_channel(V) + chunk * V;
  }
  DEVICE Cursor begin(const Walk& walk) const {
    const int step = piece * walk.piece;
    const int n = static_cast<int>(walk.by_steps.divide(static_cast<uint32_t>(step)));
    return {n, step - n * walk.steps};
  }
};

// V elements as they came from memory: 16-bit elements by themselves would be taken apart in
// registers and put together again wherever they are copied.
template <class T, int V>
using Chunk = Vec<uint32_t, V* static_cast<int>(sizeof(T)) / 4>;

template <class T, int V>
DEVICE void expand_chunk(const Chunk<T, V> chunk, float (&values)[V]) {
  Vec<T, V> elements;
  memcpy(static_cast<void*>(&elements), &chunk, sizeof elements);
  expand(elements, values);
}

// Neighbouring pixels of a row, as a thread sees them.
template <class Chunk, int columns>
struct Pixels {
  Chunk at[columns];
};

// An array [N, H, W, C] as a strip sees it: `columns` pixels of V channels.
template <class T, int V, int columns>
struct StripRows {
  T* first;  // the strip in row 0 of image 0, which may begin before the array
  int N, H, W, C;
  unsigned mask;  // bit i: the strip's column i is in the image

  DEVICE static StripRows of(T* array, const Walk& walk, int H, int W, int channel, int column) {
    StripRows rows{
        array + static_cast<int64_t>(column) * walk.C + channel, walk.N, H, W, walk.C, 0};
#pragma unroll
    for (int i = 0; i < columns; ++i)
      rows.mask |= static_cast<unsigned>(column + i) < static_cast<unsigned>(W) ? 1u << i : 0u;
    return rows;
  }
  DEVICE unsigned present(int n, int h) const {
    return n < N && static_cast<unsigned>(h) < static_cast<unsigned>(H) ? mask : 0;
  }
  // Only for rows that are there: a product of 32-bit numbers without signs is one instruction.
  DEVICE T* row(int n, int h) const {
    const uint32_t pixel = static_cast<uint32_t>(n * H + h) * static_cast<uint32_t>(W);
    return first + uint64_t{pixel} * static_cast<uint32_t>(C);
  }
  // Zeros where the image is not, or not wanted: loads without branches between them, so that all
  // are under way together.
  template <class Chunk>
  DEVICE void load(int n, int h, bool wanted, Pixels<Chunk, columns>& pixels) const {
    const unsigned bits = wanted ? present(n, h) : 0;
    const T* pixel = row(n, h);
#pragma unroll
    for (int i = 0; i < columns; ++i, pixel += C) {
      pixels.at[i] = Chunk{};
      if (bits >> i & 1) pixels.at[i] = *reinterpret_cast<const Chunk*>(pixel);
    }
  }
};

// Renames rows for the next step: row i is what row i + 1 was. Where the steps are unrolled,
// nothing moves.
template <int by = 1, class Row, int count>
DEVICE void advance(Row (&rows)[count]) {
#pragma unroll
  for (int i = 0; i + by < count; ++i) rows[i] = rows[i + by];
}

// Cuts the line of steps for blocks of `threads`, one on each multiprocessor.
template <class S>
Walk walk_of(const ConvShape& k, bool transposed, int V, int threads) {
  auto narrow = [](int64_t value) { return static_cast<int>(value); };
  const int H = narrow(k.H), W = narrow(k.W), P = narrow(k.P), Q = narrow(k.Q);
  Walk walk;
  walk.C = narrow(k.C), walk.N = narrow(k.N);
  walk.source_H = transposed ? P : H, walk.source_W = transposed ? Q : W;
  walk.target_H = transposed ? H : P, walk.target_W = transposed ? W : Q;
  walk.source_row = S::first_source(narrow(k.top));
  walk.source_column = S::first_source(narrow(k.left));
  walk.target_row = S::first_target(narrow(k.top));
  walk.target_column = S::first_target(narrow(k.left));
  walk.tiles = narrow(divide_up(walk.target_W - walk.target_column, S::width));
  walk.steps = narrow(divide_up(walk.target_H - walk.target_row, S::rows_out)) + S::reach;

  // Slabs of at most 32 chunks, in fours where there are more: whole sectors of 16-bit elements.
  const int chunks = walk.C / V, slabs = narrow(divide_up(chunks, 32));
  walk.across = std::min(chunks, narrow(divide_up(divide_up(chunks, slabs), 4)) * 4);
  walk.items = threads / walk.across;
  const int64_t line = k.N * walk.steps - S::reach;
  const int64_t held = int64_t{device().multiprocessors} * walk.items / slabs;
  const int64_t wanted = std::max<int64_t>(1, held / walk.tiles);
  const int64_t piece = std::max<int64_t>((line + wanted - 1) / wanted, S::K);
  walk.piece = narrow(divide_up(piece + S::reach, S::unrolled)) * S::unrolled - S::reach;
  walk.pieces = narrow(divide_up(line, walk.piece));
  walk.by_tiles = gpu::Divisor(static_cast<uint32_t>(walk.tiles));
  walk.by_steps = gpu::Divisor(static_cast<uint32_t>(walk.steps));
  walk.by_across = gpu::Divisor(static_cast<uint32_t>(walk.across));
  return walk;
}
inline dim3 grid_of(const Walk& walk, int V) {
  return dim3(divide_up(int64_t{walk.pieces} * walk.tiles, walk.items),
              divide_up(walk.C / V, walk.across));
}

// Columns of a strip in the weight gradient: x comes stride times as wide, sums are K x K.
constexpr int weight_strip_width(int K, int stride) { return K == 7 || stride == 2 ? 2 : 4; }

// 8 bytes a thread, 4 for the larger filters of 16-bit elements, whose sums fill the registers.
template <class T, int K>
inline constexpr int strip_channels = sizeof(T) == 2 && K == 3 ? 4 : 2;

// Calls f<T, K>() with the element type and the filter's size of a problem that strips take.
template <class F>
void visit_strip(const Problem& problem, F&& f) {
  visit_tensor_type(problem.shape.dtype, [&]<class T>(Type<T>) {
    switch (problem.shape.R) {
      case 3:
        return f.template operator()<T, 3>();
      case 5:
        return f.template operator()<T, 5>();
      default:
        return f.template operator()<T, 7>();
    }
  });
}

}  // namespace strata::gpu::conv
