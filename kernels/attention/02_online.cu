// Attention without a score matrix: the online softmax.
//
// Against 01_naive: no [T, S] matrix in memory. A warp keeps a few queries; keys come by in tiles
// of 32, one a lane. Each lane takes the scores of its key with all of the warp's queries, the warp
// brings maximum and sum up to date (what was summed before shrinks by exp(m_old - m_new)), and
// adds p v. Memory is linear in T and S, and so is the traffic for a block of queries: every tile
// of keys and values is read once a block, into the same shared memory in turn.
//
// Arithmetic: 4 T S D a head in f32 (f64 for f64), for any head size up to 256, any stride and any
// address. Shared memory: (8 R + 32) D + 128 R + 32 elements, R = 4 queries a warp (2 for f64).
// Registers: 112 to 178.
// H200, bf16: 11 TFLOP/s at D 128, T 2048.
// Sources: Milakov and Gimelshein 2018; Rabe and Staats 2021, "Self-attention does not need O(n^2)
// memory".
#include "kernels/attention/online_tiles.h"

namespace strata::gpu {
namespace {

using namespace online_detail;

template <class T, int D>
__global__ void __launch_bounds__(threads, 2)
    online_kernel(const __grid_constant__ AttentionArgs args) {
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
  C largest[R], sum[R] = {}, out[R][columns] = {};
#pragma unroll
  for (int r = 0; r < R; ++r) largest[r] = minus_infinity();
  for (int j = keys.begin; j < keys.end; j += 32) {
    tiles.load_tile(h.key_rows<T>(s.k) + j * s.k.row, s.k.row, keys.end - j, size);
    C p[R];
    tiles.dot(p, 0, size);
#pragma unroll
    for (int r = 0; r < R; ++r) {
      p[r] = h.masked<T>(p[r] * scale, warp_first + r, j + lane);
      const C before = largest[r];
      largest[r] = warp_max(p[r] > before ? p[r] : before);
      // Nothing seen so far: any finite shift will do, and all exponentials are 0.
      const C shift = largest[r] == C(minus_infinity()) ? C(0) : largest[r];
      const C shrink = exponential(before - shift);
      p[r] = exponential(p[r] - shift);
      sum[r] = sum[r] * shrink + p[r];  // of this lane's keys
#pragma unroll
      for (int c = 0; c < columns; ++c) out[r][c] *= shrink;
    }
    tiles.load_tile(h.key_rows<T>(s.v) + j * s.v.row, s.v.row, keys.end - j, size);
    tiles.add(out, p);
  }
#pragma unroll
  for (int r = 0; r < R; ++r) {
    const int t = warp_first + r;
    const C total = warp_sum(sum[r]);
    if (t > last) continue;
    tiles.store(h.query_rows<T>(args.out) + t * h.query_stride(), out[r],
                total == 0 ? C(0) : 1 / total, size);
    if (lane == 0)
      static_cast<C*>(args.log_sum_exp)[h.statistic(t)] = largest[r] + logarithm(total);
  }
}

void run(const AttentionArgs& args) {
  const AttentionShape& s = args.shape;
  with_size(s, [&](auto type, auto size) {
    using T = typename decltype(type)::type;
    constexpr int D = decltype(size)::value;
    launch<online_kernel<T, D>>({.grid = blocks_of(s.queries, block_rows<T>, s.samples * s.heads),
                                 .block = threads,
                                 .shared = sizeof(Tiles<T, D>)},
                                args);
  });
}

}  // namespace

const AttentionRung attention_ladder::online{"02_online", "online softmax, no score matrix",
                                             supports<AttentionArgs>,
                                             [](const AttentionShape&) { return size_t{0}; }, run};

}  // namespace strata::gpu
