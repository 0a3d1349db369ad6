// Columns that lie side by side in memory, for kernels that walk down them: sums, extremes, running
// sums along an axis that is not the nearest. A thread takes W neighbouring columns, as many as one
// load of 16 bytes brings (or one column, where memory does not allow it), and has `rows_in_flight`
// rows under way at once, so that device memory is never waited for one load at a time.
//
// A block is 256 threads, `width` of them (a power of two, at most 32) side by side on a row and
// the others on the rows below; narrow arrays get a small width, so that no lane is idle.
#pragma once

#include <algorithm>
#include <bit>

#include "kernels/gpu/elements.h"
#include "kernels/reduce/plan.h"
#include "kernels/reduce/row.h"

namespace strata::gpu {

inline constexpr int column_threads = 256, rows_in_flight = 4;

// Threads of a block that lie side by side, where there are so many vectors of columns.
inline int column_width(int64_t vectors) {
  return static_cast<int>(
      std::bit_ceil(static_cast<uint64_t>(std::clamp<int64_t>(vectors, 1, 32))));
}
// Whether every W columns are one aligned vector of x: all but the innermost loop step by whole
// vectors. The strides of the rows are for the caller to look at.
inline bool columns_are_vectors(const void* x, const cpu::Loop* columns, int count, int W) {
  if (count == 0 || !aligned(x)) return false;
  for (int i = 0; i < count - 1; ++i)
    if (columns[i].stride % W != 0) return false;
  return columns[count - 1].stride == 1 && columns[count - 1].size % W == 0;
}
// Blocks for `groups` groups, each of which takes further lines when the grid is full: several
// times as many as a multiprocessor may hold, so that where fewer fit the last ones do not run
// alone.
inline unsigned line_blocks(int64_t groups, int groups_per_block, int block_threads) {
  const int64_t wanted = (groups + groups_per_block - 1) / groups_per_block;
  return static_cast<unsigned>(
      std::min(wanted, int64_t{device().multiprocessors} * 8 * (2048 / block_threads)));
}

// A row of a thread's columns as it is loaded: words, which are taken apart only when all rows in
// flight have been asked for.
template <class T, int W>
struct ColumnWords {
  static_assert(W == vector_width<T>);
  Vec<uint32_t, 4> words;
  DEVICE void load(const T* from) {
    words = load_vector<4>(reinterpret_cast<const uint32_t*>(from));
  }
  DEVICE void take_apart(T (&columns)[W]) const { memcpy(columns, words.data, 16); }
};
template <class T>
struct ColumnWords<T, 1> {
  T value;
  DEVICE void load(const T* from) { value = *from; }
  DEVICE void take_apart(T (&columns)[1]) const { columns[0] = value; }
};
// Calls take(row, columns) for rows begin, begin + step, ... below end, in order, Depth of them
// under way; row(i) is where row i of the thread's columns lies.
template <int W, class T, int Depth = rows_in_flight, class Index, class Row, class Take>
DEVICE void for_each_row(Index begin, Index end, Index step, Row row, Take take) {
  Index i = begin;
  T columns[W];
  ColumnWords<T, W> loaded[Depth];
  for (; i + (Depth - 1) * step < end; i += Depth * step) {
    const T* from[Depth];
#pragma unroll
    for (int u = 0; u < Depth; ++u) from[u] = row(i + u * step);
#pragma unroll
    for (int u = 0; u < Depth; ++u) loaded[u].load(from[u]);
#pragma unroll
    for (int u = 0; u < Depth; ++u) {
      loaded[u].take_apart(columns);
      take(i + u * step, columns);
    }
  }
#pragma unroll
  for (int u = 0; u < Depth - 1; ++u)
    if (i + u * step < end) loaded[u].load(row(i + u * step));
#pragma unroll
  for (int u = 0; u < Depth - 1; ++u) {
    if (i + u * step >= end) continue;
    loaded[u].take_apart(columns);
    take(i + u * step, columns);
  }
}

// One value a column and thread; padded so that neither the threads that store columns j nor those
// that read neighbouring columns meet in a bank.
template <class V, int W>
struct ColumnShare {
  V value[W][column_threads + 128 / static_cast<int>(sizeof(V)) / W];
};
// Combines what the threads above each other have, from the top down, and calls write(column of
// the block, result) for each of the width * W columns. Once a kernel.
template <int W, class V, class Op, class Write>
DEVICE void combine_columns(int width, const V (&mine)[W], Op op, Write write) {
  auto& share = block_shared<ColumnShare<V, W>>();
  const int thread = static_cast<int>(threadIdx.x);
#pragma unroll
  for (int j = 0; j < W; ++j) share.value[j][thread] = mine[j];
  __syncthreads();
  for (int column = thread; column < width * W; column += column_threads) {
    const V* values = share.value[column % W] + column / W;
    V total = values[0];
    for (int at = width; at < column_threads; at += width) total = op(total, values[at]);
    write(column, total);
  }
}

}  // namespace strata::gpu
