// Our own matrix product for any element type and any strides, for what oneDNN does not do: f64,
// integers, and views that are strided in both axes.
//
//   C[i, j] (+)= sum over k of A[i, k] B[k, j]         2 M N K operations
//
// The classic blocking (Goto and van de Geijn 2008, "Anatomy of high-performance matrix
// multiplication"): a block of B is packed so that its rows lie one vector after another, a block
// of A so that `tile_rows` of its elements do, and the innermost loop keeps a tile of C, tile_rows
// x tile_columns, in registers over the whole depth of the block. Packing makes every stride equal
// and pads edges with zeros, so there is one inner loop and no remainder code.
//
// Each element of C is summed over k in the same order wherever it falls in a tile and however many
// threads there are: results do not depend on the thread count.
#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "kernels/common/parallel.h"
#include "kernels/common/scratch.h"

namespace strata::cpu::loops {

template <class T>
struct Strided {
  const T* data;
  int64_t row, column;  // strides in elements
  const T& at(int64_t i, int64_t j) const { return data[i * row + j * column]; }
  Strided from(int64_t i, int64_t j) const { return {data + i * row + j * column, row, column}; }
};

template <class T>
struct Blocking {
  static constexpr int64_t vector = 64 / sizeof(T);  // elements of a 64-byte register
  static constexpr int64_t tile_rows = 6, tile_columns = 2 * vector;
  static constexpr int64_t rows = 96, depth = 256, columns = 32 * vector;
};

// Rows of B below each other: panel p holds columns p * tile_columns ..., depth rows of them.
template <class T>
void pack_b(Strided<T> b, int64_t depth, int64_t columns, T* out) {
  constexpr int64_t width = Blocking<T>::tile_columns;
  for (int64_t j = 0; j < columns; j += width) {
    int64_t count = std::min(width, columns - j);
    for (int64_t k = 0; k < depth; ++k, out += width) {
      const T* row = &b.at(k, j);
      if (b.column == 1) {
        for (int64_t c = 0; c < count; ++c) out[c] = row[c];
      } else {
        for (int64_t c = 0; c < count; ++c) out[c] = row[c * b.column];
      }
      for (int64_t c = count; c < width; ++c) out[c] = T(0);
    }
  }
}

template <class T>
void pack_a(Strided<T> a, int64_t rows, int64_t depth, T* out) {
  constexpr int64_t height = Blocking<T>::tile_rows;
  for (int64_t i = 0; i < rows; i += height) {
    int64_t count = std::min(height, rows - i);
    for (int64_t k = 0; k < depth; ++k, out += height) {
      for (int64_t r = 0; r < count; ++r) out[r] = a.at(i + r, k);
      for (int64_t r = count; r < height; ++r) out[r] = T(0);
    }
  }
}

// One tile of C over the depth of the block; the accumulators stay in registers.
template <class T>
void multiply_tile(const T* a, const T* b, int64_t depth, T* c, int64_t c_row, int64_t rows,
                   int64_t columns, bool accumulate) {
  constexpr int64_t height = Blocking<T>::tile_rows, width = Blocking<T>::vector;
  typedef T Vector __attribute__((vector_size(64)));
  Vector sums[height][2] = {};
  const Vector* b_rows = reinterpret_cast<const Vector*>(b);
  for (int64_t k = 0; k < depth; ++k) {
    Vector left = b_rows[2 * k], right = b_rows[2 * k + 1];
    for (int64_t r = 0; r < height; ++r) {
      T factor = a[k * height + r];
      sums[r][0] += factor * left;
      sums[r][1] += factor * right;
    }
  }
  for (int64_t r = 0; r < rows; ++r) {
    for (int64_t j = 0; j < columns; ++j) {
      T value = sums[r][j / width][j % width];
      T& out = c[r * c_row + j];
      out = accumulate ? out + value : value;
    }
  }
}

// On one thread. C has unit column stride; with `accumulate`, the product is added to it.
template <class T>
void multiply(int64_t M, int64_t N, int64_t K, Strided<T> a, Strided<T> b, T* c, int64_t c_row,
              bool accumulate) {
  using Block = Blocking<T>;
  static thread_local Scratch a_scratch, b_scratch;
  T* a_packed = a_scratch.get<T>((Block::rows + Block::tile_rows) * Block::depth);
  T* b_packed = b_scratch.get<T>((Block::columns + Block::tile_columns) * Block::depth);
  for (int64_t j0 = 0; j0 < N; j0 += Block::columns) {
    int64_t columns = std::min(Block::columns, N - j0);
    for (int64_t k0 = 0; k0 < K; k0 += Block::depth) {
      int64_t depth = std::min(Block::depth, K - k0);
      pack_b(b.from(k0, j0), depth, columns, b_packed);
      for (int64_t i0 = 0; i0 < M; i0 += Block::rows) {
        int64_t rows = std::min(Block::rows, M - i0);
        pack_a(a.from(i0, k0), rows, depth, a_packed);
        for (int64_t j = 0; j < columns; j += Block::tile_columns) {
          for (int64_t i = 0; i < rows; i += Block::tile_rows) {
            multiply_tile(a_packed + i * depth, b_packed + j * depth, depth,
                          c + (i0 + i) * c_row + j0 + j, c_row,
                          std::min(Block::tile_rows, rows - i),
                          std::min(Block::tile_columns, columns - j), accumulate || k0 > 0);
          }
        }
      }
    }
  }
}

// For products so small that packing costs more than it saves.
template <class T>
void multiply_small(int64_t M, int64_t N, int64_t K, Strided<T> a, Strided<T> b, T* c,
                    int64_t c_row, bool accumulate) {
  if (N == 0) return;  // b may be null
  for (int64_t i = 0; i < M; ++i) {
    T* row = c + i * c_row;
    if (b.column == 1 || K == 1) {
      if (!accumulate) std::fill(row, row + N, T(0));
      for (int64_t k = 0; k < K; ++k) {
        T factor = a.at(i, k);
        const T* b_row = &b.at(k, 0);
        if (b.column == 1) {
          for (int64_t j = 0; j < N; ++j) row[j] += factor * b_row[j];
        } else {
          for (int64_t j = 0; j < N; ++j) row[j] += factor * b_row[j * b.column];
        }
      }
    } else {
      for (int64_t j = 0; j < N; ++j) {
        T sum = accumulate ? row[j] : T(0);
        for (int64_t k = 0; k < K; ++k) sum += a.at(i, k) * b.at(k, j);
        row[j] = sum;
      }
    }
  }
}

inline constexpr int64_t small_product = 4096;  // multiply-adds

template <class T>
void multiply_any(int64_t M, int64_t N, int64_t K, Strided<T> a, Strided<T> b, T* c, int64_t c_row,
                  bool accumulate) {
  if (M * N * K <= small_product) {
    multiply_small(M, N, K, a, b, c, c_row, accumulate);
  } else {
    multiply(M, N, K, a, b, c, c_row, accumulate);
  }
}

// With all threads: each takes whole tiles of rows, or of columns when there are few rows.
template <class T>
void multiply_parallel(int64_t M, int64_t N, int64_t K, Strided<T> a, Strided<T> b, T* c,
                       int64_t c_row) {
  using Block = Blocking<T>;
  if (M * N * K <= small_product) return multiply_small(M, N, K, a, b, c, c_row, false);
  constexpr int64_t worth_a_thread = 1 << 18;
  int64_t row_tiles = (M + Block::tile_rows - 1) / Block::tile_rows;
  int64_t column_tiles = (N + Block::tile_columns - 1) / Block::tile_columns;
  if (row_tiles >= column_tiles) {
    int64_t tile_cost = Block::tile_rows * N * K;
    parallel_for(row_tiles, worth_a_thread / tile_cost + 1, [&](int64_t begin, int64_t end) {
      int64_t i = begin * Block::tile_rows, rows = std::min(M, end * Block::tile_rows) - i;
      multiply(rows, N, K, a.from(i, 0), b, c + i * c_row, c_row, false);
    });
  } else {
    int64_t tile_cost = Block::tile_columns * M * K;
    parallel_for(column_tiles, worth_a_thread / tile_cost + 1, [&](int64_t begin, int64_t end) {
      int64_t j = begin * Block::tile_columns, columns = std::min(N, end * Block::tile_columns) - j;
      multiply(M, columns, K, a, b.from(0, j), c + j, c_row, false);
    });
  }
}

}  // namespace strata::cpu::loops
