// From the sums in registers to C.
//
// A thread holds pairs of neighbours: of a slice of 16 columns, sums[4j + 2h + e] is row 8h + lane
// / 4 of its warp's 16 rows, column 8j + 2 (lane % 4) + e. A plain store of 16-bit pairs so puts 16
// bytes, half a sector, into each of 8 rows: twice the sectors that are needed. 16_tma_store has
// the cure.
//
// An epilogue with an activation is long code, and registers cannot be indexed at run time: the
// loop over slices is rolled up for it, and the slice's sums are picked out by comparisons. Without
// an activation it is a few instructions a sum, and unrolled.
#pragma once

#include "kernels/gemm/hopper_pipeline.h"
#include "kernels/gemm/product.h"

namespace strata::gpu {

constexpr int slice_columns = 16, slice_sums = slice_columns / 2;

template <bool Unrolled, int Half, class F>
DEVICE void for_each_slice(const float (&d)[Half], F&& f) {
  constexpr int slices = Half / slice_sums;
  float sums[slice_sums];
  if constexpr (Unrolled) {
#pragma unroll
    for (int slice = 0; slice < slices; ++slice) {
#pragma unroll
      for (int i = 0; i < slice_sums; ++i) sums[i] = d[slice * slice_sums + i];
      f(slice, sums);
    }
  } else {
#pragma unroll 1
    for (int slice = 0; slice < slices; ++slice) {
#pragma unroll
      for (int other = 0; other < slices; ++other)
#pragma unroll
        for (int i = 0; i < slice_sums; ++i)
          if (other == 0 || other == slice) sums[i] = d[other * slice_sums + i];
      f(slice, sums);
    }
  }
}

// Nothing but alpha: no memory is read.
template <class T>
DEVICE bool is_plain(const ProductEpilogue<T>& e) {
  return !e.bias && !e.residual && !e.preactivation && e.activation == Activation::none;
}

// Calls f(slice, epilogue, sums) for each slice.
template <class T, int Half, class F>
DEVICE void for_each_slice(const Product<T>& product, const float (&d)[Half], F&& f) {
  const ProductEpilogue<T>& full = product.epilogue;
  if (product.vectors && is_plain(full)) {
    const ProductEpilogue<T> scaled{full.alpha,       0,    nullptr, nullptr, nullptr,
                                    Activation::none, false};
    for_each_slice<true>(
        d, [&](int slice, const float(&sums)[slice_sums]) { f(slice, scaled, sums); });
  } else if (product.vectors && full.activation == Activation::none && !full.preactivation) {
    // Spelt out, so that the compiler drops what the general epilogue does.
    const ProductEpilogue<T> linear{full.alpha,    full.beta,        full.bias, nullptr,
                                    full.residual, Activation::none, false};
    for_each_slice<true>(
        d, [&](int slice, const float(&sums)[slice_sums]) { f(slice, linear, sums); });
  } else {
    for_each_slice<false>(d,
                          [&](int slice, const float(&sums)[slice_sums]) { f(slice, full, sums); });
  }
}

// What is stored for a pair of sums, the first of which belongs to element `at` of C, in `column`.
template <class T>
DEVICE Vec<T, 2> finish(const Product<T>& product, const ProductEpilogue<T>& epilogue,
                        const float (&sums)[2], int column, int64_t at) {
  if (product.vectors) return epilogue.template vector<2>(sums, column, at);
  Vec<T, 2> pair{};
#pragma unroll 1
  for (int i = 0; i < 2 && column + i < product.N; ++i) {
    const T value = epilogue(i == 0 ? sums[0] : sums[1], column + i, at + i);
    (i == 0 ? pair[0] : pair[1]) = value;
  }
  return pair;
}

// Where this thread's part of a 64-row fragment begins.
DEVICE int fragment_row() {
  return thread_of_warpgroup() / 32 * 16 + thread_of_warpgroup() % 32 / 4;
}
DEVICE int fragment_column() { return thread_of_warpgroup() % 4 * 2; }

// Stores the warpgroup's sums, of 64 rows for each d[i], at (row, column) of the matrix `batch`.
template <class T, int Blocks, int Half>
DEVICE void store_rows(const Product<T>& product, const float (&d)[Blocks][Half], int row,
                       int column, int batch) {
  row += fragment_row();
  column += fragment_column();
#pragma unroll
  for (int i = 0; i < Blocks; ++i, row += 64) {
    for_each_slice(
        product, d[i],
        [&](int slice, const ProductEpilogue<T>& epilogue, const float(&sums)[slice_sums]) {
#pragma unroll
          for (int half = 0; half < 2; ++half) {
            const int r = row + 8 * half;
            if (r >= product.M) continue;
            const int64_t begin = (static_cast<int64_t>(batch) * product.M + r) * product.N;
#pragma unroll
            for (int j = 0; j < slice_columns / 8; ++j) {
              const int c = column + slice * slice_columns + 8 * j;
              if (c >= product.N) continue;
              const Vec<T, 2> pair =
                  finish(product, epilogue, {sums[4 * j + 2 * half], sums[4 * j + 2 * half + 1]}, c,
                         begin + c);
              T* to = product.c + begin + c;
              if (product.vectors) {
                store_vector(to, pair);
              } else {
                to[0] = pair[0];
                if (c + 1 < product.N) to[1] = pair[1];
              }
            }
          }
        });
  }
}

}  // namespace strata::gpu
