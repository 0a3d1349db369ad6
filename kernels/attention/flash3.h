// What the kernels of FlashAttention-3 share, forward and backward: rows in shared memory as the
// copy engine brings them and as wgmma reads them, consumers that take turns, and the way back.
#pragma once

#include "kernels/attention/rung.h"
#include "kernels/attention/score_rows.h"

namespace strata::gpu::attention_detail {

// One warpgroup asks for copies, two work on 64 rows each.
inline constexpr int consumers = 2, hopper_threads = 128 * (1 + consumers);
inline constexpr int group_rows = 64, block_rows = consumers * group_rows;
inline constexpr int line = 64;  // elements of a line of 128 bytes, which the swizzle permutes

// Rows of D elements as D / 64 panels of lines: [panel][row][64].
template <class T, int D, int Rows>
struct Panels {
  T elements[D / line][Rows][line];

  static TensorMap map(DType dtype, const HeadArray& x, int64_t size, int64_t rows, int64_t heads,
                       int64_t samples) {
    // Of an axis of one element the stride does not matter, but a map wants a usable one.
    auto stride = [&](int64_t given, int64_t count) { return count > 1 ? given : size; };
    return tensor_map(dtype, x.data, {size, rows, heads, samples},
                      {stride(x.row, rows), stride(x.head, heads), stride(x.sample, samples)},
                      {line, Rows, 1, 1}, Swizzle::b128);
  }
  // Rows from `row` on, zeros behind the last. One thread, when the barrier expects the bytes.
  DEVICE void load(const TensorMap& map, int row, int head, int sample, uint64_t* full) {
#pragma unroll
    for (int i = 0; i < D / line; ++i)
      tma_load<4>(elements[i], &map, {i * line, row, head, sample}, full);
  }
  // Sixteen columns from 16 k on, of the rows from `row` on, for products over columns.
  DEVICE uint64_t columns(int row, int k) const {
    return descriptor_advance(descriptor_k128(elements[k / 4][row]), k % 4 * 32);
  }
  // Sixteen rows from 16 k on, for products over rows.
  DEVICE uint64_t rows(int k) const {
    return descriptor_advance(descriptor_mn128(elements[0], sizeof(elements[0])),
                              k * 16 * sizeof(elements[0][0]));
  }
};

// x [64][Columns] = 64 rows of a from `row` on, times the rows of b transposed; a group of
// products.
template <class T, int D, int Columns, int Rows>
DEVICE void issue_row_products(float (&x)[Columns / 2], const Panels<T, D, Rows>& a, int row,
                               const Panels<T, D, Columns>& b) {
  wgmma_fence();
#pragma unroll
  for (int k = 0; k < D / 16; ++k) wgmma<Columns, T>(x, a.columns(row, k), b.columns(0, k), k > 0);
  wgmma_commit();
}

// A warpgroup's 64 x 16 Chunks numbers as left operand of a product.
template <int Chunks>
using Left = uint32_t[Chunks][4];

template <class T, int Chunks>
DEVICE void pack_left(Left<Chunks>& p, const float (&s)[8 * Chunks]) {
#pragma unroll
  for (int k = 0; k < Chunks; ++k)
#pragma unroll
    for (int i = 0; i < 4; ++i) p[k][i] = pack<T>(s[8 * k + 2 * i], s[8 * k + 2 * i + 1]);
}
// x [64][D] += p times the rows of b; a group of products.
template <class T, int D, int Chunks>
DEVICE void issue_product(float (&x)[D / 2], const Left<Chunks>& p,
                          const Panels<T, D, 16 * Chunks>& b) {
  wgmma_fence();
#pragma unroll
  for (int k = 0; k < Chunks; ++k) wgmma_register_a<D, T, Major::mn>(x, p[k], b.rows(k), true);
  wgmma_commit();
}

DEVICE void release(uint64_t* empty) {  // by one lane of each warp
  if (threadIdx.x % 32 == 0) mbarrier_arrive(empty);
}

// Whose turn it is to issue products. Each consumer waits at its own named barrier until the other
// has passed the turn on; the first has it to begin with.
struct Turn {
  int group;
  static constexpr int first_id = 1;
  DEVICE void begin() const {
    if (group == 1) barrier_arrive(first_id, 256);
  }
  DEVICE void wait() const { barrier_sync(first_id + group, 256); }
  DEVICE void pass(bool last) const {
    if (group == 0 || !last) barrier_arrive(first_id + (group ^ 1), 256);
  }
};

// A warpgroup's 64 rows of x to memory, from `row` of the map on, by way of rows 64 group of
// `place`, which nobody reads any more.
template <class T, int D, int Rows>
DEVICE void store_group(Panels<T, D, Rows>& place, int group, const float (&x)[D / 2],
                        const TensorMap& map, int row, int head, int sample) {
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  const int first = group * group_rows, inside = first + warp % 4 * 16 + lane / 4;
  barrier_sync(3 + group, 128);
#pragma unroll
  for (int n = 0; n < D / 8; ++n)
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int r = inside + 8 * half;
      T* pair = &place.elements[n / 8][r][(n % 8 ^ r % 8) * 8 + lane % 4 * 2];
      *reinterpret_cast<uint32_t*>(pair) = pack<T>(x[4 * n + 2 * half], x[4 * n + 2 * half + 1]);
    }
  fence_async_shared();
  barrier_sync(3 + group, 128);
  if (threadIdx.x % 128 == 0) {
#pragma unroll
    for (int i = 0; i < D / line; ++i)
      tma_store<4>(&map, {i * line, row, head, sample}, place.elements[i][first]);
    bulk_commit();
    bulk_wait_read<0>();
  }
}

// Whether tensor maps take these rows: aligned, strides positive where there is more than one.
inline bool mappable(const AttentionShape& s, const HeadArray& x, int64_t rows, int64_t heads) {
  return attention_ladder::rows_aligned(x, s.dtype) && (rows == 1 || x.row > 0) &&
         (heads == 1 || x.head > 0) && (s.samples == 1 || x.sample > 0);
}
inline bool mappable(const AttentionShape& s) {
  return device().arch >= 90 && attention_ladder::is_float16(s.dtype) && s.size % 8 == 0 &&
         s.size > 0 && s.keys > 0 && !s.query_offsets && mask_fits(s) &&
         mappable(s, s.q, s.queries, s.heads) && mappable(s, s.k, s.keys, s.key_heads) &&
         mappable(s, s.v, s.keys, s.key_heads);
}
// The rows of a dense [N, rows, heads, D].
inline HeadArray dense(const AttentionShape& s, const void* data, int64_t rows, int64_t heads) {
  return {data, rows * heads * s.size, heads * s.size, s.size};
}

}  // namespace strata::gpu::attention_detail
