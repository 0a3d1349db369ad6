// Gradients without a score matrix: probabilities come back as exp(score - log-sum-exp).
//
// Against 01_naive: no matrices of p and ds. One kernel has a block of queries each and sums dq
// (and writes dmask); another has a block of keys each and sums dk and dv over the queries of all
// heads of its group. Scores are worked out twice; no sum is shared between blocks, so there are no
// atomics and the order of every sum is fixed. Both kernels read a tile of k (q), then of v (dout),
// then of k (q) again into the same shared memory.
//
// Arithmetic: 14 T S D a head (10 for the two products of scores once). Shared memory as 02_online.
// Workspace: delta, one number a query and head. Registers: 122 to 242.
// H200, bf16: 7 TFLOP/s at D 128, T 2048.
// Source: Dao et al. 2022, "FlashAttention", algorithm 4.
#include "kernels/attention/online_tiles.h"

namespace strata::gpu {
namespace {

using namespace online_detail;

// p and ds (without the scale) of one pair, from its score and dout v.
template <class C>
struct Pair {
  C p, ds;
};
template <class C>
DEVICE Pair<C> pair_of(C score, C dp, C log_sum_exp, C delta) {
  const bool seen = score != C(minus_infinity()) && log_sum_exp != C(minus_infinity());
  const C p = seen ? exponential(score - log_sum_exp) : C(0);
  return {p, seen ? p * (dp - delta) : C(0)};
}

template <class T, int D>
__global__ void __launch_bounds__(threads, 2)
    online_query_gradient_kernel(const __grid_constant__ AttentionGradientArgs args,
                                 const Compute<T>* delta) {
  using C = Compute<T>;
  constexpr int R = warp_rows<T>, columns = D / 32;
  const AttentionShape& s = args.shape;
  const Place place = place_of(
      blockIdx.x, static_cast<int>((s.queries + block_rows<T> - 1) / block_rows<T>), s.heads);
  const Head h = head_of(s, place.sample, place.head);
  const int first = place.block * block_rows<T>, size = static_cast<int>(s.size);
  if (first >= h.queries) return;
  const int last = min(first + block_rows<T>, h.queries) - 1;
  const Interval keys = h.keys_of(first, last);
  const C scale = static_cast<C>(s.scale);

  Tiles<T, D>& tiles = *dynamic_shared<Tiles<T, D>>();
  const int lane = tiles.lane(), warp_first = first + tiles.warp() * R;
  tiles.load_rows(0, h.query_rows<T>(s.q) + first * s.q.row, s.q.row, last - first + 1, size);
  tiles.load_rows(1, h.query_rows<T>(args.dout) + first * args.dout.row, args.dout.row,
                  last - first + 1, size);
  C log_sum_exp[R], take[R], dq[R][columns] = {};
#pragma unroll
  for (int r = 0; r < R; ++r) {
    const int64_t at = h.statistic(min(warp_first + r, last));
    log_sum_exp[r] = static_cast<const C*>(args.log_sum_exp)[at];
    take[r] = delta[at];
  }
  for (int j = keys.begin; j < keys.end; j += 32) {
    C score[R], ds[R];
    const T* k = h.key_rows<T>(s.k) + j * s.k.row;
    tiles.load_tile(k, s.k.row, keys.end - j, size);
    tiles.dot(score, 0, size);
    tiles.load_tile(h.key_rows<T>(s.v) + j * s.v.row, s.v.row, keys.end - j, size);
    tiles.dot(ds, 1, size);
#pragma unroll
    for (int r = 0; r < R; ++r) {
      const int t = warp_first + r;
      score[r] = h.masked<T>(score[r] * scale, t, j + lane);
      ds[r] = pair_of(score[r], ds[r], log_sum_exp[r], take[r]).ds;
      if (args.dmask && t <= last && j + lane < keys.end)
        static_cast<T*>(args.dmask)[h.statistic(t) * s.keys + j + lane] = narrowed<T>(ds[r]);
    }
    tiles.load_tile(k, s.k.row, keys.end - j, size);
    tiles.add(dq, ds);
  }
  if (!args.dq) return;
#pragma unroll
  for (int r = 0; r < R; ++r) {
    const int t = warp_first + r;
    if (t <= last) tiles.store(h.query_rows<T>(args.dq) + t * h.query_stride(), dq[r], scale, size);
  }
}

template <class T, int D>
__global__ void __launch_bounds__(threads, 2)
    online_key_gradient_kernel(const __grid_constant__ AttentionGradientArgs args,
                               const Compute<T>* delta) {
  using C = Compute<T>;
  constexpr int R = warp_rows<T>, columns = D / 32;
  const AttentionShape& s = args.shape;
  const Place place = place_of(
      blockIdx.x, static_cast<int>((s.keys + block_rows<T> - 1) / block_rows<T>), s.key_heads);
  const int group = static_cast<int>(s.heads / s.key_heads), size = static_cast<int>(s.size);
  const int first = place.block * block_rows<T>;
  Head h = head_of(s, place.sample, place.head * group);
  if (first >= h.keys) return;
  const int last = min(first + block_rows<T>, h.keys) - 1;
  const Interval queries = h.queries_of(first, last);
  const C scale = static_cast<C>(s.scale);

  Tiles<T, D>& tiles = *dynamic_shared<Tiles<T, D>>();
  const int lane = tiles.lane(), warp_first = first + tiles.warp() * R;
  tiles.load_rows(0, h.key_rows<T>(s.k) + first * s.k.row, s.k.row, last - first + 1, size);
  tiles.load_rows(1, h.key_rows<T>(s.v) + first * s.v.row, s.v.row, last - first + 1, size);
  C dk[R][columns] = {}, dv[R][columns] = {};
  for (int member = 0; member < group; ++member, ++h.head) {
    for (int t = queries.begin; t < queries.end; t += 32) {
      const int count = queries.end - t;
      const int64_t at = h.statistic(min(t + lane, queries.end - 1));
      const C log_sum_exp = static_cast<const C*>(args.log_sum_exp)[at], take = delta[at];
      const T* q = h.query_rows<T>(s.q) + t * s.q.row;
      C p[R], ds[R];
      tiles.load_tile(q, s.q.row, count, size);
      tiles.dot(p, 0, size);
      tiles.load_tile(h.query_rows<T>(args.dout) + t * args.dout.row, args.dout.row, count, size);
      tiles.dot(ds, 1, size);
#pragma unroll
      for (int r = 0; r < R; ++r) {
        const C score = h.masked<T>(p[r] * scale, t + lane, warp_first + r);
        const Pair<C> pair = pair_of(score, ds[r], log_sum_exp, take);
        p[r] = pair.p;
        ds[r] = pair.ds;
      }
      tiles.add(dv, p);
      tiles.load_tile(q, s.q.row, count, size);
      tiles.add(dk, ds);
    }
  }
#pragma unroll
  for (int r = 0; r < R; ++r) {
    const int j = warp_first + r;
    if (j > last) continue;
    if (args.dk) tiles.store(h.key_rows<T>(args.dk) + j * h.key_stride(), dk[r], scale, size);
    if (args.dv) tiles.store(h.key_rows<T>(args.dv) + j * h.key_stride(), dv[r], C(1), size);
  }
}

void run_gradient(const AttentionGradientArgs& args) {
  const AttentionShape& s = args.shape;
  attention_ladder::launch_delta(args, args.workspace);
  if (args.dmask)
    fill_bytes(args.dmask, 0,
               static_cast<size_t>(s.samples * s.heads * s.queries * s.keys) * size_of(s.dtype),
               current_stream());
  with_size(s, [&](auto type, auto size) {
    using T = typename decltype(type)::type;
    constexpr int D = decltype(size)::value;
    auto* delta = static_cast<const Compute<T>*>(args.workspace);
    if (args.dq || args.dmask)
      launch<online_query_gradient_kernel<T, D>>(
          {.grid = blocks_of(s.queries, block_rows<T>, s.samples * s.heads),
           .block = threads,
           .shared = sizeof(Tiles<T, D>)},
          args, delta);
    if (args.dk || args.dv)
      launch<online_key_gradient_kernel<T, D>>(
          {.grid = blocks_of(s.keys, block_rows<T>, s.samples * s.key_heads),
           .block = threads,
           .shared = sizeof(Tiles<T, D>)},
          args, delta);
  });
}

}  // namespace

const AttentionGradientRung attention_ladder::online_gradient{
    "02_online", "probabilities recomputed from the log-sum-exp", supports<AttentionGradientArgs>,
    attention_ladder::delta_bytes, run_gradient};

}  // namespace strata::gpu
