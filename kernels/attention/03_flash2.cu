// FlashAttention-2 on tensor cores of the warp (sm_80).
//
// Against 02_online: products by mma.sync in bf16 or f16 with f32 sums. A block has 64 queries, 16
// a warp; keys and values come by in blocks of 64 (32 for D = 256), copied by cp.async while the
// block before is worked on. A warp's scores stay in its registers: the fragment that q k^T leaves
// is the one that p v takes, so probabilities never see shared memory. A row is spread over four
// lanes; their maximum is taken by two shuffles a block, their sum only at the end. Scores are in
// units of log2, because exp2 is what the hardware has.
//
// Blocks of keys that no query of the block sees are never loaded; single scores are looked at only
// in blocks that are not wholly seen. Blocks with most keys (causal: the last queries) start first.
//
// Arithmetic: 4 T S D a head. Bytes: q, out once, k and v once for each 64 queries.
// Shared memory: (64 + 4 keys) D 2 bytes: D = 64: 40 KiB, 128: 80 KiB, 256: 96 KiB.
// Registers: 136 to 245.
// H200, bf16: 188 TFLOP/s at D 128, T 2048.
// Source: Dao 2023, "FlashAttention-2".
#include "kernels/attention/flash2.h"

namespace strata::gpu {
namespace {

using namespace attention_detail;

template <class T, int D>
__global__ void __launch_bounds__(threads, 1)
    flash2_kernel(const __grid_constant__ AttentionArgs args) {
  constexpr int keys_at_once = block_keys<D>;
  const AttentionShape& s = args.shape;
  const int blocks = static_cast<int>((s.queries + block_queries - 1) / block_queries);
  const Place place = place_of(blockIdx.x, blocks, s.heads);
  const Head h = head_of(s, place.sample, place.head);
  const int first = (blocks - 1 - place.block) * block_queries, size = static_cast<int>(s.size);
  if (first >= h.queries) return;
  const int last = min(first + block_queries, h.queries) - 1;
  const Interval seen = h.keys_of(first, last);

  struct Shared {
    T q[block_queries * D], k[2][keys_at_once * D], v[2][keys_at_once * D];
  };
  Shared& shared = *dynamic_shared<Shared>();
  const T *k = h.key_rows<T>(s.k), *v = h.key_rows<T>(s.v);
  auto load = [&](int j, int stage) {
    Tile<T, D>::template load<keys_at_once, threads>(shared.k[stage], k + j * s.k.row, s.k.row,
                                                     seen.end - j, size);
    Tile<T, D>::template load<keys_at_once, threads>(shared.v[stage], v + j * s.v.row, s.v.row,
                                                     seen.end - j, size);
  };
  Tile<T, D>::template load<block_queries, threads>(
      shared.q, h.query_rows<T>(s.q) + first * s.q.row, s.q.row, last - first + 1, size);
  if (seen.begin < seen.end) load(seen.begin, 0);
  copy_commit();

  const int warp_row = static_cast<int>(threadIdx.x) / 32 * 16;
  WideAccumulator<D> out = {};
  RowSoftmax rows;
  for (int j = seen.begin, stage = 0; j < seen.end; j += keys_at_once, stage ^= 1) {
    copy_wait<0>();
    __syncthreads();  // block j is here, and everybody is done with the one before
    if (j + keys_at_once < seen.end) load(j + keys_at_once, stage ^ 1);
    copy_commit();
    Accumulator<keys_at_once> p = {};
    add_row_products<T, D, keys_at_once>(p, shared.q, warp_row, shared.k[stage]);
    const float factor = mask_block<T>(h, p, first + warp_row, j);
    const Shrink shrink = rows.add(p, factor);
    scale_rows<D>(out, shrink.low, shrink.high);
    add_product<T, D, keys_at_once>(out, p, shared.v[stage]);
  }
  copy_wait<0>();
  __syncthreads();  // q may be written over, also where no key is seen

  rows.finish();
  const int lane = static_cast<int>(threadIdx.x) % 32, t = first + warp_row;
  store_rows<T, D>(h.query_rows<T>(args.out) + t * h.query_stride(), h.query_stride(), last + 1 - t,
                   size, shared.q, warp_row, out, rows.inverse(0), rows.inverse(1));
  for (int half = 0; half < 2; ++half) {
    const int row = t + lane / 4 + 8 * half;
    if (lane % 4 == 0 && row <= last)
      static_cast<float*>(args.log_sum_exp)[h.statistic(row)] = rows.log_sum_exp(half);
  }
}

void run(const AttentionArgs& args) {
  const AttentionShape& s = args.shape;
  with_size(s, [&](auto type, auto size) {
    using T = typename decltype(type)::type;
    constexpr int D = decltype(size)::value;
    launch<flash2_kernel<T, D>>({.grid = blocks_of(s.queries, block_queries, s.samples * s.heads),
                                 .block = threads,
                                 .shared = sizeof(T) * D * (block_queries + 4 * block_keys<D>)},
                                args);
  });
}

bool supports(const AttentionArgs& args) {
  return supports_shape(args.shape) && aligned16(args.out);
}

}  // namespace

const AttentionRung attention_ladder::flash2{"03_flash2", "tensor cores, scores in registers",
                                             supports,
                                             [](const AttentionShape&) { return size_t{0}; }, run};

}  // namespace strata::gpu
