// FlashAttention-3: attention in the Hopper manner (sm_90a).
//
// Against 03_flash2: nobody copies and waits any more. A block has three warpgroups:
//
//   producer     one thread asks the copy engine (TMA) for blocks of k and v, two of each ahead,
//                and gives its registers away
//   consumers    two warpgroups with 64 queries each. Products are wgmma: scores from q and k in
//                shared memory, outputs from probabilities in registers and v in shared memory.
//                (v lies as it is in memory; wgmma takes it N-major.)
//
// Exponentials are the rarer resource: 3.9 against 989 TFLOP/s, so at D = 128 they take half as
// long as the products. Two overlaps hide them:
//
//   ping-pong    a consumer issues its products only in its turn (named barriers), then passes the
//                turn on and does its softmax while the other's products run
//   within       the scores of block j + 1 are issued before the outputs of block j, so the softmax
//                of j + 1 runs while p v of j does
//
// The copy engine writes zeros where a box reaches past T, S or D and does not store there, so
// ragged shapes cost nothing; but packed samples have no such border, and go to 03_flash2.
//
// Arithmetic: 4 T S D a head. Bytes: q, out once, k and v once for each 128 queries.
// Shared memory: 128 D + 4 keys D elements, keys 128 (64 for D = 256): D = 64: 80 KiB, 128: 160
// KiB, 256: 192 KiB. Registers: 168 at the start, then 24 and 240.
// H200, bf16, forward: 581 TFLOP/s at D 128, T 4096 (0.97 of cuDNN), 411 at D 64 (0.94). Source:
// Shah et al. 2024, "FlashAttention-3".
#include "kernels/attention/flash3.h"

namespace strata::gpu {
namespace {

using namespace attention_detail;

constexpr int block_queries = block_rows;
template <int D>
constexpr int block_keys = D > 128 ? 64 : 128;

template <class T, int D>
struct Shared {
  alignas(1024) Panels<T, D, block_queries> q;
  alignas(1024) Panels<T, D, block_keys<D>> k[2], v[2];
  uint64_t q_full, k_full[2], k_empty[2], v_full[2], v_empty[2];
};

struct Maps {
  TensorMap q, k, v, out;
};

template <class T, int D>
DEVICE void produce(Shared<T, D>& shared, const Maps& maps, const Head& h, int first,
                    Interval seen) {
  const int sample = static_cast<int>(h.sample);
  auto load = [&](auto& rows, const TensorMap& map, int row, int head, uint64_t* full) {
    mbarrier_expect(full, sizeof(rows));
    rows.load(map, row, head, sample, full);
  };
  load(shared.q, maps.q, first, h.head, &shared.q_full);
  for (int j = seen.begin, i = 0; j < seen.end; j += block_keys<D>, ++i) {
    const int stage = i & 1;
    const unsigned before = (i >> 1 & 1) ^ 1;  // parity of the round before
    mbarrier_wait(&shared.k_empty[stage], before);
    load(shared.k[stage], maps.k, j, h.key_head, &shared.k_full[stage]);
    mbarrier_wait(&shared.v_empty[stage], before);
    load(shared.v[stage], maps.v, j, h.key_head, &shared.v_full[stage]);
  }
}

template <class T, int D>
struct Consumer {
  static constexpr int keys = block_keys<D>, chunks = keys / 16;
  Shared<T, D>& shared;
  const Head& h;
  int group, row;  // row: the warp's first query
  Turn turn;
  RowSoftmax softmax;

  using Scores = float[keys / 2];
  using Outputs = float[D / 2];

  DEVICE void issue_scores(Scores& s, int stage) {
    issue_row_products<T, D, keys>(s, shared.q, group * group_rows, shared.k[stage]);
  }
  // Scores to probabilities; returns by what outputs must shrink.
  DEVICE Shrink find_probabilities(Scores& s, int j) {
    return softmax.add(s, mask_block<T>(h, s, row, j));
  }
  DEVICE static void scale(Outputs& out, float low, float high) {
#pragma unroll
    for (int i = 0; i < D / 2; ++i) out[i] *= i % 4 < 2 ? low : high;
  }
  DEVICE void run(Outputs& out, Interval seen) {
    Scores s;
    Left<chunks> p;
    const int blocks = (seen.end - seen.begin + keys - 1) / keys;
    turn.begin();
    mbarrier_wait(&shared.q_full, 0);
    mbarrier_wait(&shared.k_full[0], 0);
    turn.wait();
    issue_scores(s, 0);
    turn.pass(blocks == 1);
    wgmma_wait<0>();
    release(&shared.k_empty[0]);
    find_probabilities(s, seen.begin);
    pack_left<T, chunks>(p, s);
    for (int i = 1; i < blocks; ++i) {
      const int stage = i & 1, before = stage ^ 1;
      mbarrier_wait(&shared.k_full[stage], i >> 1 & 1);
      turn.wait();
      issue_scores(s, stage);
      mbarrier_wait(&shared.v_full[before], (i - 1) >> 1 & 1);
      issue_product<T, D, chunks>(out, p, shared.v[before]);
      turn.pass(i + 1 == blocks);
      wgmma_wait<1>();  // the scores
      release(&shared.k_empty[stage]);
      const Shrink shrink = find_probabilities(s, seen.begin + i * keys);
      wgmma_wait<0>();  // the outputs
      release(&shared.v_empty[before]);
      scale(out, shrink.low, shrink.high);
      pack_left<T, chunks>(p, s);
    }
    mbarrier_wait(&shared.v_full[(blocks - 1) & 1], (blocks - 1) >> 1 & 1);
    issue_product<T, D, chunks>(out, p, shared.v[(blocks - 1) & 1]);
    wgmma_wait<0>();
  }
};

template <class T, int D>
DEVICE void consume(Shared<T, D>& shared, const AttentionArgs& args, const Maps& maps,
                    const Head& h, int first, Interval seen) {
  const int group = static_cast<int>(threadIdx.x) / 128 - 1;
  const int row = first + group * group_rows + static_cast<int>(threadIdx.x) / 32 % 4 * 16;
  Consumer<T, D> consumer{shared, h, group, row, Turn{group}, {}};
  float out[D / 2] = {};
  if (seen.begin < seen.end) consumer.run(out, seen);
  RowSoftmax& softmax = consumer.softmax;
  softmax.finish();
  consumer.scale(out, softmax.inverse(0), softmax.inverse(1));
  if (const int t = first + group * group_rows; t < h.queries)
    store_group<T, D>(shared.q, group, out, maps.out, t, h.head, static_cast<int>(h.sample));
  const int lane = static_cast<int>(threadIdx.x) % 32;
  for (int half = 0; half < 2; ++half) {
    const int t = row + lane / 4 + 8 * half;
    if (lane % 4 == 0 && t < h.queries)
      static_cast<float*>(args.log_sum_exp)[h.statistic(t)] = softmax.log_sum_exp(half);
  }
}

template <class T, int D>
__global__ void __launch_bounds__(hopper_threads, 1)
    flash3_kernel(const __grid_constant__ AttentionArgs args, const __grid_constant__ Maps maps) {
  const AttentionShape& s = args.shape;
  const int blocks = static_cast<int>((s.queries + block_queries - 1) / block_queries);
  const Place place = place_of(blockIdx.x, blocks, s.heads);
  const Head h = head_of(s, place.sample, place.head);
  const int first = (blocks - 1 - place.block) * block_queries;
  const Interval seen = h.keys_of(first, min(first + block_queries, h.queries) - 1);

  Shared<T, D>& shared = *dynamic_shared<Shared<T, D>>();
  if (threadIdx.x == 0) {
    mbarrier_init(&shared.q_full, 1);
    for (int stage = 0; stage < 2; ++stage) {
      mbarrier_init(&shared.k_full[stage], 1);
      mbarrier_init(&shared.v_full[stage], 1);
      mbarrier_init(&shared.k_empty[stage], 4 * consumers);
      mbarrier_init(&shared.v_empty[stage], 4 * consumers);
    }
    mbarrier_fence_init();
  }
  __syncthreads();
  if (threadIdx.x < 128) {
    registers_decrease<24>();
    if (threadIdx.x == 0 && seen.begin < seen.end) produce<T, D>(shared, maps, h, first, seen);
  } else {
    registers_increase<240>();
    consume<T, D>(shared, args, maps, h, first, seen);
  }
}

template <class T, int D>
void run_sized(const AttentionArgs& args) {
  const AttentionShape& s = args.shape;
  const HeadArray out = dense(s, args.out, s.queries, s.heads);
  const Maps maps{
      Panels<T, D, block_queries>::map(s.dtype, s.q, s.size, s.queries, s.heads, s.samples),
      Panels<T, D, block_keys<D>>::map(s.dtype, s.k, s.size, s.keys, s.key_heads, s.samples),
      Panels<T, D, block_keys<D>>::map(s.dtype, s.v, s.size, s.keys, s.key_heads, s.samples),
      Panels<T, D, group_rows>::map(s.dtype, out, s.size, s.queries, s.heads, s.samples)};
  launch<flash3_kernel<T, D>>({.grid = blocks_of(s.queries, block_queries, s.samples * s.heads),
                               .block = hopper_threads,
                               .shared = sizeof(Shared<T, D>)},
                              args, maps);
}

void run(const AttentionArgs& args) {
  auto typed = [&](auto type) {
    using T = typename decltype(type)::type;
    if (args.shape.size <= 64)
      run_sized<T, 64>(args);
    else if (args.shape.size <= 128)
      run_sized<T, 128>(args);
    else
      run_sized<T, 256>(args);
  };
  args.shape.dtype == DType::bf16 ? typed(Type<bf16>{}) : typed(Type<f16>{});
}

bool supports(const AttentionArgs& args) {
  return mappable(args.shape) && args.shape.size <= attention_ladder::largest_size &&
         attention_ladder::aligned16(args.out);
}

}  // namespace

const AttentionRung attention_ladder::flash3{
    "05_flash3", "TMA, wgmma, two warpgroups in turns, softmax under products", supports,
    [](const AttentionShape&) { return size_t{0}; }, run};

}  // namespace strata::gpu
