// A row as 16-byte chunks, which is how device memory wants to be read.
//
// Chunks lie on 16-byte boundaries of memory, not of the row: a row that starts in the middle of
// one (row r of an array whose rows have an odd length) begins with a partial chunk and ends with
// one, and everything between moves in whole vectors. Chunk k of a row holds the elements
// k W - phase .. k W - phase + W - 1; those outside the row are `fill`. So no row kernel has a
// special case for alignment. A second array whose rows lie differently in memory is read and
// written element by element: slower, and right.
#pragma once

#include "kernels/gpu/gpu.h"

namespace strata::gpu {

template <class T>
using Chunk = Vec<T, vector_width<T>>;

// Elements of the first chunk that lie before the row.
template <class T>
DEVICE int phase_of(const T* row) {
  return static_cast<int>(reinterpret_cast<uintptr_t>(row) % 16 / sizeof(T));
}
// The most chunks that a row of n elements touches, for any row of the array at x.
template <class T>
int64_t chunks_of_row(const void* x, int64_t n) {
  constexpr int64_t W = vector_width<T>;
  const bool aligned = reinterpret_cast<uintptr_t>(x) % 16 == 0 && n % W == 0;
  return aligned ? n / W : (n + 2 * W - 2) / W;
}

DEVICE bool inside(int at, int n) { return static_cast<unsigned>(at) < static_cast<unsigned>(n); }
__host__ __device__ inline bool aligned(const void* address) {
  return reinterpret_cast<uintptr_t>(address) % 16 == 0;
}

// Whether every chunk lies in its row or outside: rows begin on 16 bytes and are whole chunks long.
// Launchers ask, and kernels are templated on it: loads of whole chunks have no branch between
// them, so that all are in flight before the first is waited for.
template <class T>
bool whole_chunks(const T* x, int64_t n) {
  return reinterpret_cast<uintptr_t>(x) % 16 == 0 && n % vector_width<T> == 0;
}

// A chunk as the words of its registers: where two ways to fill it meet, the compiler would take
// 16-bit elements apart and put them together again.
using Words = Vec<uint32_t, 4>;
template <class T>
DEVICE Words words_of(const Chunk<T>& chunk) {
  Words words;
  memcpy(words.data, chunk.data, sizeof words.data);
  return words;
}
template <class T>
DEVICE Chunk<T> chunk_of(const Words& words) {
  Chunk<T> chunk;
  memcpy(chunk.data, words.data, sizeof words.data);
  return chunk;
}

template <bool Whole = false, class T>
DEVICE Chunk<T> load_chunk(const T* row, int at, int n, T fill) {
  constexpr int W = vector_width<T>;
  Chunk<T> outside;
#pragma unroll
  for (int j = 0; j < W; ++j) outside[j] = fill;
  Words words = words_of<T>(outside);
  if (Whole ? at < n : at >= 0 && at + W <= n && aligned(row + at)) {
    words = load_vector<4>(reinterpret_cast<const uint32_t*>(row + at));
  } else if (!Whole) {
#pragma unroll
    for (int j = 0; j < W; ++j)
      if (inside(at + j, n)) outside[j] = row[at + j];
    words = words_of<T>(outside);
  }
  return chunk_of<T>(words);
}
template <bool Whole = false, class T>
DEVICE void store_chunk(T* row, int at, int n, const Chunk<T>& chunk) {
  constexpr int W = vector_width<T>;
  if constexpr (Whole) {
    if (at < n) store_vector(row + at, chunk);
    return;
  }
  if (at >= 0 && at + W <= n && aligned(row + at)) {
    store_vector(row + at, chunk);
    return;
  }
#pragma unroll
  for (int j = 0; j < W; ++j)
    if (inside(at + j, n)) row[at + j] = chunk[j];
}
// W values of another type beside a chunk: parameters of the compute type.
template <bool Whole = false, int W, class C>
DEVICE void load_beside(const C* row, int at, int n, C fill, C (&values)[W]) {
  static_assert(W % vector_width<C> == 0);
#pragma unroll
  for (int piece = 0; piece < W; piece += vector_width<C>) {
    const Chunk<C> chunk = load_chunk<Whole>(row, at + piece, n, fill);
#pragma unroll
    for (int j = 0; j < vector_width<C>; ++j) values[piece + j] = chunk[j];
  }
}

// Between the element type and the type of arithmetic.
template <class T>
DEVICE Compute<T> to_compute(T value) {
  if constexpr (std::is_same_v<T, Compute<T>>)
    return value;
  else
    return to_float(value);
}
template <class T>
DEVICE T from_compute(Compute<T> value) {
  if constexpr (std::is_same_v<T, Compute<T>>)
    return value;
  else
    return from_float<T>(value);
}

// e^x to the precision that T can show: for 16-bit types the hardware's approximation, whose error
// is near 2 + |x| units of f32's last place.
template <class T>
DEVICE Compute<T> exponential(Compute<T> x) {
  if constexpr (std::is_same_v<T, double>)
    return ::exp(x);
  else if constexpr (std::is_same_v<T, float>)
    return ::expf(x);
  else
    return __expf(x);
}
template <class C>
DEVICE C logarithm(C x) {
  if constexpr (std::is_same_v<C, double>)
    return ::log(x);
  else
    return ::logf(x);
}

// Blocks for `groups` groups, each of which takes further rows when the grid is full: enough for
// every multiprocessor to hold as many threads as it can.
inline unsigned row_blocks(int64_t groups, int groups_per_block, int block_threads) {
  const int64_t wanted = (groups + groups_per_block - 1) / groups_per_block;
  const int64_t resident = int64_t{device().multiprocessors} * (2048 / block_threads);
  return static_cast<unsigned>(wanted < resident ? wanted : resident);
}

// Kernels of rows index within a row by int.
inline void check_row_length(const char* op, int64_t n) {
  if (n > int64_t{1} << 30)
    throw Error(std::string(op) + ": rows of " + std::to_string(n) +
                " elements; the kernels take up to 2^30");
}

}  // namespace strata::gpu
