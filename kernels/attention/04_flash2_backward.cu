// Gradients on tensor cores of the warp (sm_80), without atomics.
//
// Against 02_online_backward: products by mma.sync, blocks by cp.async while the block before is
// worked on, as 03_flash2. The trick is which side of a product a warp owns:
//
//   dk, dv  a warp owns 16 keys and takes the scores transposed, p^T = exp(k q^T - log-sum-exp) and
//           dp^T = v dout^T. They lie in its registers as left operands of dv += p^T dout and
//           dk += ds^T q, so no score crosses from one warp to another.
//   dq      a warp owns 16 queries: p and dp as in the forward pass, dq += ds k. It also writes
//   dmask.
//
// FlashAttention-2 has one kernel for all three and adds dq by atomics, whose order is not fixed;
// here scores are worked out twice (14 T S D a head instead of 10) and each sum belongs to one
// warp, in one order: the same bits each time, and no workspace but delta. For D = 256 the
// registers hold one of dk and dv, so that kernel runs twice (16 T S D).
//
// Shared memory: (128 + 4 B) D 2 bytes, B rows at a time: D = 64 (B = 32): 32 KiB, 128 (dq 32, dk
// and dv 16): 64 and 48 KiB, 256 (16): 96 KiB. Registers: 136 to 250.
// H200, bf16: 157 TFLOP/s at D 128, T 4096. Source: Dao 2023,
// "FlashAttention-2", algorithm 2.
#include "kernels/attention/flash2.h"

namespace strata::gpu {
namespace {

using namespace attention_detail;

constexpr int block_rows = 16 * warps;
// Keys at a time for dq, queries at a time for dk and dv: what registers allow.
template <int D>
constexpr int step_keys = D > 128 ? 16 : 32;
template <int D>
constexpr int step_queries = D > 96 ? 16 : 32;
// Whether registers hold the sums of dk and dv at once.
template <int D>
constexpr bool together = D <= 128;

template <class T, int D, int Step>
struct Shared {
  T rows[2][block_rows * D], steps[2][2][Step * D];  // steps[stage]: q, dout or k, v
};
template <class T, int D>
using QueryShared = Shared<T, D, step_keys<D>>;
template <class T, int D>
struct KeyShared : Shared<T, D, step_queries<D>> {
  float log_sum_exp[2][step_queries<D>], delta[2][step_queries<D>];
};

DEVICE int lane_id() { return static_cast<int>(threadIdx.x) % 32; }
DEVICE int warp_row() { return static_cast<int>(threadIdx.x) / 32 * 16; }
// In units of log2; where nothing is seen any number will do, as scores there are -inf.
DEVICE float shift_of(float log_sum_exp) {
  return log_sum_exp == minus_infinity() ? 0.0f : log_sum_exp * log2_e;
}

template <class T, int D, bool Keys, bool Values>
__global__ void __launch_bounds__(threads, 1)
    flash2_key_gradient_kernel(const __grid_constant__ AttentionGradientArgs args,
                               const float* delta) {
  constexpr int step = step_queries<D>;
  const AttentionShape& s = args.shape;
  const Place place =
      place_of(blockIdx.x, static_cast<int>((s.keys + block_rows - 1) / block_rows), s.key_heads);
  const int group = static_cast<int>(s.heads / s.key_heads), size = static_cast<int>(s.size);
  const int first = place.block * block_rows;
  const Head h = head_of(s, place.sample, place.head * group);
  if (first >= h.keys) return;
  const int count = min(block_rows, h.keys - first);
  const Interval seers = h.queries_of(first, first + count - 1);
  const int blocks = max(0, (seers.end - seers.begin + step - 1) / step);

  KeyShared<T, D>& shared = *dynamic_shared<KeyShared<T, D>>();
  // Block i of queries, over all heads of the group.
  auto head_at = [&](int i) {
    Head member = h;
    member.head += i / blocks;
    return member;
  };
  auto query_at = [&](int i) { return seers.begin + i % blocks * step; };
  auto load = [&](int i, int stage) {
    const Head member = head_at(i);
    const int t = query_at(i), left = seers.end - t;
    Tile<T, D>::template load<step, threads>(
        shared.steps[stage][0], member.query_rows<T>(s.q) + t * s.q.row, s.q.row, left, size);
    Tile<T, D>::template load<step, threads>(shared.steps[stage][1],
                                             member.query_rows<T>(args.dout) + t * args.dout.row,
                                             args.dout.row, left, size);
    if (const int row = static_cast<int>(threadIdx.x); row < step) {
      const int64_t at = member.statistic(row < left ? t + row : t);
      copy_async<4>(&shared.log_sum_exp[stage][row],
                    static_cast<const float*>(args.log_sum_exp) + at, row < left);
      copy_async<4>(&shared.delta[stage][row], delta + at, row < left);
    }
  };
  Tile<T, D>::template load<block_rows, threads>(
      shared.rows[0], h.key_rows<T>(s.k) + first * s.k.row, s.k.row, count, size);
  Tile<T, D>::template load<block_rows, threads>(
      shared.rows[1], h.key_rows<T>(s.v) + first * s.v.row, s.v.row, count, size);
  if (blocks > 0) load(0, 0);
  copy_commit();

  WideAccumulator<D> dk = {}, dv = {};
  for (int i = 0; i < group * blocks; ++i) {
    const int stage = i & 1;
    copy_wait<0>();
    __syncthreads();  // block i is here, and everybody is done with the one before
    if (i + 1 < group * blocks) load(i + 1, stage ^ 1);
    copy_commit();
    const T *q = shared.steps[stage][0], *dout = shared.steps[stage][1];
    Accumulator<step> p = {}, ds = {};
    add_row_products<T, D, step>(p, shared.rows[0], warp_row(), q);
    const float factor = mask_block<T, true>(head_at(i), p, first + warp_row(), query_at(i));
    if (Keys) add_row_products<T, D, step>(ds, shared.rows[1], warp_row(), dout);
#pragma unroll
    for (int n = 0; n < step / 8; ++n)
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        const int column = 8 * n + lane_id() % 4 * 2 + e % 2;
        p[0][n][e] = exp2f(p[0][n][e] * factor - shift_of(shared.log_sum_exp[stage][column]));
        ds[0][n][e] = p[0][n][e] * (ds[0][n][e] - shared.delta[stage][column]);
      }
    if (Values) add_product<T, D, step>(dv, p, dout);
    if (Keys) add_product<T, D, step>(dk, ds, q);
  }
  copy_wait<0>();
  __syncthreads();  // k and v may be written over

  const int rows = count - warp_row();
  const int64_t stride = h.key_stride(), at = (first + warp_row()) * stride;
  const float scale = static_cast<float>(s.scale);
  if (Keys && args.dk)
    store_rows<T, D>(h.key_rows<T>(args.dk) + at, stride, rows, size, shared.rows[0], warp_row(),
                     dk, scale, scale);
  if (Values && args.dv)
    store_rows<T, D>(h.key_rows<T>(args.dv) + at, stride, rows, size, shared.rows[1], warp_row(),
                     dv, 1, 1);
}

template <class T, int D>
__global__ void __launch_bounds__(threads, 1)
    flash2_query_gradient_kernel(const __grid_constant__ AttentionGradientArgs args,
                                 const float* delta) {
  constexpr int step = step_keys<D>;
  const AttentionShape& s = args.shape;
  const int blocks = static_cast<int>((s.queries + block_rows - 1) / block_rows);
  const Place place = place_of(blockIdx.x, blocks, s.heads);
  const Head h = head_of(s, place.sample, place.head);
  const int first = (blocks - 1 - place.block) * block_rows, size = static_cast<int>(s.size);
  if (first >= h.queries) return;
  const int count = min(block_rows, h.queries - first);
  const Interval seen = h.keys_of(first, first + count - 1);

  QueryShared<T, D>& shared = *dynamic_shared<QueryShared<T, D>>();
  const T *k = h.key_rows<T>(s.k), *v = h.key_rows<T>(s.v);
  auto load = [&](int j, int stage) {
    Tile<T, D>::template load<step, threads>(shared.steps[stage][0], k + j * s.k.row, s.k.row,
                                             seen.end - j, size);
    Tile<T, D>::template load<step, threads>(shared.steps[stage][1], v + j * s.v.row, s.v.row,
                                             seen.end - j, size);
  };
  Tile<T, D>::template load<block_rows, threads>(
      shared.rows[0], h.query_rows<T>(s.q) + first * s.q.row, s.q.row, count, size);
  Tile<T, D>::template load<block_rows, threads>(shared.rows[1],
                                                 h.query_rows<T>(args.dout) + first * args.dout.row,
                                                 args.dout.row, count, size);
  if (seen.begin < seen.end) load(seen.begin, 0);
  copy_commit();

  const int t = first + warp_row();
  float shift[2], take[2];  // of rows g and g + 8
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int64_t at = h.statistic(min(t + lane_id() / 4 + 8 * half, first + count - 1));
    shift[half] = shift_of(static_cast<const float*>(args.log_sum_exp)[at]);
    take[half] = delta[at];
  }
  WideAccumulator<D> dq = {};
  for (int j = seen.begin, stage = 0; j < seen.end; j += step, stage ^= 1) {
    copy_wait<0>();
    __syncthreads();
    if (j + step < seen.end) load(j + step, stage ^ 1);
    copy_commit();
    Accumulator<step> p = {}, ds = {};
    add_row_products<T, D, step>(p, shared.rows[0], warp_row(), shared.steps[stage][0]);
    const float factor = mask_block<T>(h, p, t, j);
    add_row_products<T, D, step>(ds, shared.rows[1], warp_row(), shared.steps[stage][1]);
#pragma unroll
    for (int n = 0; n < step / 8; ++n)
#pragma unroll
      for (int e = 0; e < 4; ++e)
        ds[0][n][e] = exp2f(p[0][n][e] * factor - shift[e / 2]) * (ds[0][n][e] - take[e / 2]);
    if (args.dmask) {
      for (int n = 0; n < step / 8; ++n)
        for (int e = 0; e < 4; ++e) {
          const int row = t + lane_id() / 4 + e / 2 * 8,
                    key = j + 8 * n + lane_id() % 4 * 2 + e % 2;
          if (row < first + count && key < seen.end)
            static_cast<T*>(args.dmask)[h.statistic(row) * s.keys + key] =
                from_float<T>(ds[0][n][e]);
        }
    }
    add_product<T, D, step>(dq, ds, shared.steps[stage][0]);
  }
  copy_wait<0>();
  __syncthreads();
  const float scale = static_cast<float>(s.scale);
  if (args.dq)
    store_rows<T, D>(h.query_rows<T>(args.dq) + t * h.query_stride(), h.query_stride(),
                     first + count - t, size, shared.rows[0], warp_row(), dq, scale, scale);
}

template <class T, int D, bool Keys, bool Values>
void run_keys(const AttentionGradientArgs& args, const float* delta) {
  const AttentionShape& s = args.shape;
  launch<flash2_key_gradient_kernel<T, D, Keys, Values>>(
      {.grid = blocks_of(s.keys, block_rows, s.samples * s.key_heads),
       .block = threads,
       .shared = sizeof(KeyShared<T, D>)},
      args, delta);
}

void run_gradient(const AttentionGradientArgs& args) {
  const AttentionShape& s = args.shape;
  attention_ladder::launch_delta(args, args.workspace);
  auto* delta = static_cast<const float*>(args.workspace);
  if (args.dmask)
    fill_bytes(args.dmask, 0,
               static_cast<size_t>(s.samples * s.heads * s.queries * s.keys) * size_of(s.dtype),
               current_stream());
  with_size(s, [&](auto type, auto size) {
    using T = typename decltype(type)::type;
    constexpr int D = decltype(size)::value;
    if (args.dq || args.dmask)
      launch<flash2_query_gradient_kernel<T, D>>(
          {.grid = blocks_of(s.queries, block_rows, s.samples * s.heads),
           .block = threads,
           .shared = sizeof(QueryShared<T, D>)},
          args, delta);
    if constexpr (together<D>) {
      if (args.dk || args.dv) run_keys<T, D, true, true>(args, delta);
    } else {
      if (args.dk) run_keys<T, D, true, false>(args, delta);
      if (args.dv) run_keys<T, D, false, true>(args, delta);
    }
  });
}

bool supports(const AttentionGradientArgs& args) {
  return supports_shape(args.shape) &&
         attention_ladder::rows_aligned(args.dout, args.shape.dtype) && aligned16(args.dq) &&
         aligned16(args.dk) && aligned16(args.dv);
}

}  // namespace

const AttentionGradientRung attention_ladder::flash2_gradient{
    "04_flash2_backward", "tensor cores, transposed scores in registers, no atomics", supports,
    attention_ladder::delta_bytes, run_gradient};

}  // namespace strata::gpu
