// Gradients in the Hopper manner (sm_90a), without atomics.
//
// Against 04_flash2_backward: the same two kernels and the same owners of the sums, but as
// 05_flash3 a producer asks the copy engine for blocks and two warpgroups multiply by wgmma, in
// turns.
//
//   dk, dv  a warpgroup owns 64 keys. p^T = exp(k q^T - log-sum-exp) and dp^T = v dout^T come from
//           shared memory on both sides; p^T and ds^T = p^T (dp^T - delta) stay in registers and
//           are the left operands of dv += p^T dout and dk += ds^T q. q and dout lie as they are in
//           memory, and wgmma takes them K-major in the first two products and N-major in the last
//           two. What the copy engine cannot fetch, the log-sum-exp and delta of a block of
//           queries (4 bytes each, from any address), the producer's other lanes do.
//   dq      a warpgroup owns 64 queries: p, dp as above, not transposed, and dq += ds k; dmask.
//
// Within a warpgroup exponentials run while dp is multiplied, and ds is found while dv is; between
// the two, one multiplies while the other does the rest (Turn).
//
// One kernel for all three sums would need 10 T S D operations a head instead of 14, but dq would
// then be added up by many blocks: by atomics in an order that changes from run to run, or by
// blocks that wait for each other. Here a sum has one owner: the same bits each time, and no
// workspace but delta. D is 64 or 128, smaller ones are padded; at 256 the registers do not hold
// the sums, and 04 does it.
//
// Shared memory: dk, dv: 2 blocks of 128 keys and 4 of 64 queries, D = 64: 65 KiB, 128: 129 KiB;
// dq: 2 blocks of 128 queries and 4 of 128 keys: 96 and 192 KiB. Registers: 168 at the start, then
// 24 and 240. H200, bf16: 444 TFLOP/s at D 128, T 4096 (0.85 of cuDNN's
// backward pass, 1.5 times FlashAttention-2), 326 at D 64 (0.75). Source: Shah et al. 2024,
// "FlashAttention-3", section B.1, for the arrangement in one kernel.
#include "kernels/attention/flash3.h"

namespace strata::gpu {
namespace {

using namespace attention_detail;

constexpr int step_queries = 64, step_keys = 128;  // of a stage

DEVICE int lane_id() { return static_cast<int>(threadIdx.x) % 32; }
DEVICE int group_id() { return static_cast<int>(threadIdx.x) / 128 - 1; }
DEVICE int warp_row() {
  return group_id() * group_rows + static_cast<int>(threadIdx.x) / 32 % 4 * 16;
}
// In units of log2; where nothing is seen any number will do, as scores there are -inf.
DEVICE float shift_of(float log_sum_exp) {
  return log_sum_exp == minus_infinity() ? 0.0f : log_sum_exp * log2_e;
}

// Two rows that come together: q and dout, or k and v.
template <class T, int D, int Rows>
struct Pair {
  alignas(1024) Panels<T, D, Rows> first, second;

  DEVICE void load(const TensorMap& map_first, const TensorMap& map_second, int row, int head,
                   int sample, uint64_t* full) {
    mbarrier_expect(full, sizeof(first) + sizeof(second));
    first.load(map_first, row, head, sample, full);
    second.load(map_second, row, head, sample, full);
  }
};

// Of the rows that a block owns, and the ring of those that pass by.
template <class T, int D, int Steps>
struct Shared {
  Pair<T, D, block_rows> own;
  Pair<T, D, Steps> steps[2];
  uint64_t own_full, full[2], empty[2];

  // `arrivals`: threads that make a stage full.
  DEVICE void init(unsigned arrivals) {
    if (threadIdx.x == 0) {
      mbarrier_init(&own_full, 1);
      for (int stage = 0; stage < 2; ++stage) {
        mbarrier_init(&full[stage], arrivals);
        mbarrier_init(&empty[stage], 4 * consumers);
      }
      mbarrier_fence_init();
    }
    __syncthreads();
  }
};
template <class T, int D>
struct KeyShared : Shared<T, D, step_queries> {
  float shift[2][step_queries], delta[2][step_queries];
};

// ---- dk and dv ----

// The steps of a block of keys: blocks of queries, of one head of the group after the other.
struct KeySteps {
  const Head& h;
  Interval seers;
  int blocks, count;  // of a head; of all

  DEVICE KeySteps(const Head& head, int first, int group)
      : h(head), seers(head.queries_of(first, min(first + block_rows, head.keys) - 1)) {
    blocks = max(0, (seers.end - seers.begin + step_queries - 1) / step_queries);
    count = group * blocks;
  }
  DEVICE Head head_at(int i) const {
    Head member = h;
    member.head += i / blocks;
    return member;
  }
  DEVICE int query_at(int i) const { return seers.begin + i % blocks * step_queries; }
};

struct KeyMaps {
  TensorMap k, v, q, dout, dk, dv;
};

// By one warp.
template <class T, int D>
DEVICE void produce(KeyShared<T, D>& shared, const AttentionGradientArgs& args, const float* delta,
                    const KeyMaps& maps, const KeySteps& steps, int first) {
  const int sample = static_cast<int>(steps.h.sample), lane = lane_id();
  if (lane == 0) shared.own.load(maps.k, maps.v, first, steps.h.key_head, sample, &shared.own_full);
  for (int i = 0; i < steps.count; ++i) {
    const int stage = i & 1, t = steps.query_at(i);
    const Head h = steps.head_at(i);
    mbarrier_wait(&shared.empty[stage], (i >> 1 & 1) ^ 1);
    for (int row = lane; row < step_queries; row += 32) {
      const bool inside = t + row < h.queries;
      const int64_t at = h.statistic(inside ? t + row : t);
      shared.shift[stage][row] =
          inside ? shift_of(static_cast<const float*>(args.log_sum_exp)[at]) : 0;
      shared.delta[stage][row] = inside ? delta[at] : 0;
    }
    if (lane == 0)
      shared.steps[stage].load(maps.q, maps.dout, t, h.head, sample, &shared.full[stage]);
    else
      mbarrier_arrive(&shared.full[stage]);
  }
}

template <class T, int D>
DEVICE void consume(KeyShared<T, D>& shared, const KeySteps& steps, int first, float (&dk)[D / 2],
                    float (&dv)[D / 2]) {
  constexpr int chunks = step_queries / 16;
  const Turn turn{group_id()};
  const int own_row = turn.group * group_rows;
  turn.begin();
  mbarrier_wait(&shared.own_full, 0);
  for (int i = 0; i < steps.count; ++i) {
    const int stage = i & 1;
    const auto& [q, dout] = shared.steps[stage];
    float p[step_queries / 2], ds[step_queries / 2];
    mbarrier_wait(&shared.full[stage], i >> 1 & 1);
    turn.wait();
    issue_row_products<T, D, step_queries>(p, shared.own.first, own_row, q);
    issue_row_products<T, D, step_queries>(ds, shared.own.second, own_row, dout);
    turn.pass(i + 1 == steps.count);
    wgmma_wait<1>();  // p
    const float factor =
        mask_block<T, true>(steps.head_at(i), p, first + warp_row(), steps.query_at(i));
    const int column = lane_id() % 4 * 2;
#pragma unroll
    for (int e = 0; e < step_queries / 2; ++e)
      p[e] = exp2f(p[e] * factor - shared.shift[stage][e / 4 * 8 + column + e % 2]);
    Left<chunks> left, right;
    pack_left<T, chunks>(left, p);
    issue_product<T, D, chunks>(dv, left, dout);
    wgmma_wait<1>();  // dp
#pragma unroll
    for (int e = 0; e < step_queries / 2; ++e)
      ds[e] = p[e] * (ds[e] - shared.delta[stage][e / 4 * 8 + column + e % 2]);
    pack_left<T, chunks>(right, ds);
    issue_product<T, D, chunks>(dk, right, q);
    wgmma_wait<0>();
    __syncwarp();  // one lane says for all that shift and delta have been read
    release(&shared.empty[stage]);
  }
}

template <class T, int D>
__global__ void __launch_bounds__(hopper_threads, 1)
    flash3_key_gradient_kernel(const __grid_constant__ AttentionGradientArgs args,
                               const float* delta, const __grid_constant__ KeyMaps maps) {
  const AttentionShape& s = args.shape;
  const Place place =
      place_of(blockIdx.x, static_cast<int>((s.keys + block_rows - 1) / block_rows), s.key_heads);
  const int group = static_cast<int>(s.heads / s.key_heads), first = place.block * block_rows;
  const Head h = head_of(s, place.sample, place.head * group);
  const KeySteps steps(h, first, group);

  KeyShared<T, D>& shared = *dynamic_shared<KeyShared<T, D>>();
  shared.init(32);
  if (threadIdx.x < 128) {
    registers_decrease<24>();
    if (threadIdx.x < 32 && steps.count > 0) produce<T, D>(shared, args, delta, maps, steps, first);
    return;
  }
  registers_increase<240>();
  float dk[D / 2] = {}, dv[D / 2] = {};
  if (steps.count > 0) consume<T, D>(shared, steps, first, dk, dv);
  const float scale = static_cast<float>(s.scale);
#pragma unroll
  for (float& x : dk) x *= scale;
  const int row = first + group_id() * group_rows, sample = static_cast<int>(h.sample);
  if (row >= h.keys) return;
  if (args.dk)
    store_group<T, D>(shared.own.first, group_id(), dk, maps.dk, row, h.key_head, sample);
  if (args.dv)
    store_group<T, D>(shared.own.second, group_id(), dv, maps.dv, row, h.key_head, sample);
}

// ---- dq and dmask ----

struct QueryMaps {
  TensorMap q, dout, k, v, dq;
};

template <class T, int D>
using QueryShared = Shared<T, D, step_keys>;

template <class T, int D>
DEVICE void produce(QueryShared<T, D>& shared, const QueryMaps& maps, const Head& h, int first,
                    Interval seen) {
  const int sample = static_cast<int>(h.sample);
  shared.own.load(maps.q, maps.dout, first, h.head, sample, &shared.own_full);
  for (int j = seen.begin, i = 0; j < seen.end; j += step_keys, ++i) {
    mbarrier_wait(&shared.empty[i & 1], (i >> 1 & 1) ^ 1);
    shared.steps[i & 1].load(maps.k, maps.v, j, h.key_head, sample, &shared.full[i & 1]);
  }
}

// ds of a warp's 16 queries from t on with the keys from j on.
template <class T>
DEVICE void store_mask_gradient(const AttentionGradientArgs& args, const Head& h,
                                const float (&ds)[step_keys / 2], int t, int j, int keys) {
  for (int e = 0; e < step_keys / 2; ++e) {
    const int row = t + lane_id() / 4 + e / 2 % 2 * 8,
              key = j + e / 4 * 8 + lane_id() % 4 * 2 + e % 2;
    if (row < h.queries && key < keys)
      static_cast<T*>(args.dmask)[h.statistic(row) * args.shape.keys + key] = from_float<T>(ds[e]);
  }
}

template <class T, int D>
DEVICE void consume(QueryShared<T, D>& shared, const AttentionGradientArgs& args,
                    const float* delta, const Head& h, int t, Interval seen, float (&dq)[D / 2]) {
  constexpr int chunks = step_keys / 16;
  const Turn turn{group_id()};
  const int own_row = turn.group * group_rows;
  float shift[2], take[2];  // of rows g and g + 8
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    const int64_t at = h.statistic(min(t + lane_id() / 4 + 8 * half, h.queries - 1));
    shift[half] = shift_of(static_cast<const float*>(args.log_sum_exp)[at]);
    take[half] = delta[at];
  }
  turn.begin();
  mbarrier_wait(&shared.own_full, 0);
  for (int j = seen.begin, i = 0; j < seen.end; j += step_keys, ++i) {
    const int stage = i & 1;
    const auto& [k, v] = shared.steps[stage];
    float p[step_keys / 2], ds[step_keys / 2];
    mbarrier_wait(&shared.full[stage], i >> 1 & 1);
    turn.wait();
    issue_row_products<T, D, step_keys>(p, shared.own.first, own_row, k);
    issue_row_products<T, D, step_keys>(ds, shared.own.second, own_row, v);
    turn.pass(j + step_keys >= seen.end);
    wgmma_wait<1>();  // p
    const float factor = mask_block<T>(h, p, t, j);
#pragma unroll
    for (int e = 0; e < step_keys / 2; ++e) p[e] = exp2f(p[e] * factor - shift[e / 2 % 2]);
    wgmma_wait<0>();  // dp
#pragma unroll
    for (int e = 0; e < step_keys / 2; ++e) ds[e] = p[e] * (ds[e] - take[e / 2 % 2]);
    if (args.dmask) store_mask_gradient<T>(args, h, ds, t, j, seen.end);
    Left<chunks> left;
    pack_left<T, chunks>(left, ds);
    issue_product<T, D, chunks>(dq, left, k);
    wgmma_wait<0>();
    release(&shared.empty[stage]);
  }
}

template <class T, int D>
__global__ void __launch_bounds__(hopper_threads, 1)
    flash3_query_gradient_kernel(const __grid_constant__ AttentionGradientArgs args,
                                 const float* delta, const __grid_constant__ QueryMaps maps) {
  const AttentionShape& s = args.shape;
  const int blocks = static_cast<int>((s.queries + block_rows - 1) / block_rows);
  const Place place = place_of(blockIdx.x, blocks, s.heads);
  const Head h = head_of(s, place.sample, place.head);
  const int first = (blocks - 1 - place.block) * block_rows;
  const Interval seen = h.keys_of(first, min(first + block_rows, h.queries) - 1);

  QueryShared<T, D>& shared = *dynamic_shared<QueryShared<T, D>>();
  shared.init(1);
  if (threadIdx.x < 128) {
    registers_decrease<24>();
    if (threadIdx.x == 0 && seen.begin < seen.end) produce<T, D>(shared, maps, h, first, seen);
    return;
  }
  registers_increase<240>();
  float dq[D / 2] = {};
  if (seen.begin < seen.end) consume<T, D>(shared, args, delta, h, first + warp_row(), seen, dq);
  const float scale = static_cast<float>(s.scale);
#pragma unroll
  for (float& x : dq) x *= scale;
  const int row = first + group_id() * group_rows;
  if (args.dq && row < h.queries)
    store_group<T, D>(shared.own.first, group_id(), dq, maps.dq, row, h.head,
                      static_cast<int>(h.sample));
}

// ---- launch ----

// Maps of rows of queries and of keys. An output that is not wanted has none.
template <class T, int D>
struct MapMaker {
  const AttentionShape& s;
  template <int Rows>
  TensorMap queries(const HeadArray& x) const {
    return Panels<T, D, Rows>::map(s.dtype, x, s.size, s.queries, s.heads, s.samples);
  }
  template <int Rows>
  TensorMap keys(const HeadArray& x) const {
    return Panels<T, D, Rows>::map(s.dtype, x, s.size, s.keys, s.key_heads, s.samples);
  }
  TensorMap query_gradient(void* x) const {
    return x ? queries<group_rows>(dense(s, x, s.queries, s.heads)) : TensorMap{};
  }
  TensorMap key_gradient(void* x) const {
    return x ? keys<group_rows>(dense(s, x, s.keys, s.key_heads)) : TensorMap{};
  }
};

template <class T, int D>
void run_sized(const AttentionGradientArgs& args) {
  const AttentionShape& s = args.shape;
  const MapMaker<T, D> map{s};
  auto* delta = static_cast<const float*>(args.workspace);
  if (args.dq || args.dmask)
    launch<flash3_query_gradient_kernel<T, D>>(
        {.grid = blocks_of(s.queries, block_rows, s.samples * s.heads),
         .block = hopper_threads,
         .shared = sizeof(QueryShared<T, D>)},
        args, delta,
        QueryMaps{map.template queries<block_rows>(s.q),
                  map.template queries<block_rows>(args.dout), map.template keys<step_keys>(s.k),
                  map.template keys<step_keys>(s.v), map.query_gradient(args.dq)});
  if (args.dk || args.dv)
    launch<flash3_key_gradient_kernel<T, D>>(
        {.grid = blocks_of(s.keys, block_rows, s.samples * s.key_heads),
         .block = hopper_threads,
         .shared = sizeof(KeyShared<T, D>)},
        args, delta,
        KeyMaps{map.template keys<block_rows>(s.k), map.template keys<block_rows>(s.v),
                map.template queries<step_queries>(s.q),
                map.template queries<step_queries>(args.dout), map.key_gradient(args.dk),
                map.key_gradient(args.dv)});
}

void run_gradient(const AttentionGradientArgs& args) {
  const AttentionShape& s = args.shape;
  attention_ladder::launch_delta(args, args.workspace);
  if (args.dmask)
    fill_bytes(args.dmask, 0,
               static_cast<size_t>(s.samples * s.heads * s.queries * s.keys) * size_of(s.dtype),
               current_stream());
  auto typed = [&](auto type) {
    using T = typename decltype(type)::type;
    s.size <= 64 ? run_sized<T, 64>(args) : run_sized<T, 128>(args);
  };
  s.dtype == DType::bf16 ? typed(Type<bf16>{}) : typed(Type<f16>{});
}

bool supports(const AttentionGradientArgs& args) {
  using attention_ladder::aligned16;
  const AttentionShape& s = args.shape;
  return mappable(s) && s.queries > 0 && s.size <= 128 &&
         mappable(s, args.dout, s.queries, s.heads) && aligned16(args.dq) && aligned16(args.dk) &&
         aligned16(args.dv);
}

}  // namespace

const AttentionGradientRung attention_ladder::flash3_gradient{
    "06_flash3_backward", "TMA, wgmma, two warpgroups in turns, no atomics", supports,
    attention_ladder::delta_bytes, run_gradient};

}  // namespace strata::gpu
