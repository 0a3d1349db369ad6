// Combining one value a thread over a warp, a block or a cluster, in an order that never changes:
// the same bits in every run, and on every thread that receives the result.
//
// A row kernel is a template over a Group, the threads that share a row:
//   WarpGroup              32 threads, shuffles only
//   BlockGroup<Threads>    a block: shuffles, then one value a warp through shared memory
//   ClusterGroup<Threads>  the blocks of a cluster (sm_90): then one value a block through
//                          distributed shared memory
// Group::combine(value, op) must be called by all threads of the group; all of them get the result.
// Cost: 5 shuffles of each word; a block adds 2 barriers, a cluster 2 cluster barriers.
//
// Kernels say __launch_bounds__(threads, 1): with the 1 ptxas takes the registers it needs, without
// it it may spill a few so that more blocks fit.
#pragma once

#include "kernels/gpu/gpu.h"

namespace strata::gpu {

// The value of lane `lane ^ flip`, for any trivial type of whole words.
template <class V>
DEVICE V shuffle_xor(const V& value, int flip) {
  using Word = std::conditional_t<sizeof(V) % 8 == 0, unsigned long long, unsigned>;
  static_assert(sizeof(V) % sizeof(Word) == 0, "shuffles move whole words of 4 bytes");
  Word words[sizeof(V) / sizeof(Word)];
  memcpy(words, &value, sizeof value);
#pragma unroll
  for (Word& word : words) word = __shfl_xor_sync(0xffffffffu, word, flip);
  V other;
  memcpy(&other, words, sizeof other);
  return other;
}

// A butterfly; the operand of the lower lane always comes first, so all lanes compute the same.
template <class V, class Op>
DEVICE V warp_combine(V value, Op op) {
#pragma unroll
  for (int flip = 1; flip < 32; flip *= 2) {
    const V other = shuffle_xor(value, flip);
    value = threadIdx.x & static_cast<unsigned>(flip) ? op(other, value) : op(value, other);
  }
  return value;
}

template <class V, int Warps>
struct WarpPartials {
  V value[Warps];
};
template <int Threads, class V, class Op>
DEVICE V block_combine(V value, Op op) {
  static_assert(Threads % 32 == 0);
  constexpr int warps = Threads / 32;
  value = warp_combine(value, op);
  if constexpr (warps > 1) {
    auto& partials = block_shared<WarpPartials<V, warps>>();
    if (threadIdx.x % 32 == 0) partials.value[threadIdx.x / 32] = value;
    __syncthreads();
    value = partials.value[0];
#pragma unroll
    for (int warp = 1; warp < warps; ++warp) value = op(value, partials.value[warp]);
    __syncthreads();  // nobody overwrites what others still read
  }
  return value;
}

template <class V>
struct BlockPartial {
  V value;
};
template <int Threads, class V, class Op>
DEVICE V cluster_combine(V value, Op op) {
  value = block_combine<Threads>(value, op);
  auto& partial = block_shared<BlockPartial<V>>();
  if (threadIdx.x == 0) partial.value = value;
  cluster_sync();
  V total = *cluster_shared(&partial.value, 0);
  for (unsigned rank = 1; rank < cluster_size(); ++rank)
    total = op(total, *cluster_shared(&partial.value, rank));
  cluster_sync();  // nobody overwrites, or leaves, while others still read
  return total;
}

// For blocks of (32, Rows) threads whose columns are independent: column threadIdx.x over the Rows.
// Values lie as words, those of a row's columns beside each other: no two meet in a bank.
template <class V, int Rows>
struct ColumnPartials {
  using Word = std::conditional_t<sizeof(V) % 8 == 0, unsigned long long, unsigned>;
  static constexpr int words = sizeof(V) / sizeof(Word);
  static_assert(sizeof(V) % sizeof(Word) == 0, "values are whole words of 4 bytes");
  Word word[Rows][words][32];

  DEVICE void put(const V& value) {
    Word own[words];
    memcpy(own, &value, sizeof value);
#pragma unroll
    for (int i = 0; i < words; ++i) word[threadIdx.y][i][threadIdx.x] = own[i];
  }
  DEVICE V get(int row) const {
    Word theirs[words];
#pragma unroll
    for (int i = 0; i < words; ++i) theirs[i] = word[row][i][threadIdx.x];
    V value;
    memcpy(&value, theirs, sizeof value);
    return value;
  }
};
template <int Rows, class V, class Op>
DEVICE V column_combine(const V& value, Op op) {
  auto& partials = block_shared<ColumnPartials<V, Rows>>();
  partials.put(value);
  __syncthreads();
  V total = partials.get(0);
#pragma unroll
  for (int row = 1; row < Rows; ++row) total = op(total, partials.get(row));
  __syncthreads();
  return total;
}

struct WarpGroup {
  static constexpr int block_threads = 128;  // of the launch: four groups a block
  static constexpr int groups_per_block = block_threads / 32;
  DEVICE static int threads() { return 32; }
  DEVICE static int rank() { return static_cast<int>(threadIdx.x % 32); }
  DEVICE static int64_t index() {
    return static_cast<int64_t>(blockIdx.x) * groups_per_block + threadIdx.x / 32;
  }
  DEVICE static int64_t count() { return static_cast<int64_t>(gridDim.x) * groups_per_block; }
  template <class V, class Op>
  DEVICE static V combine(const V& value, Op op) {
    return warp_combine(value, op);
  }
};

template <int Threads>
struct BlockGroup {
  static constexpr int block_threads = Threads;
  static constexpr int groups_per_block = 1;
  DEVICE static int threads() { return Threads; }
  DEVICE static int rank() { return static_cast<int>(threadIdx.x); }
  DEVICE static int64_t index() { return blockIdx.x; }
  DEVICE static int64_t count() { return gridDim.x; }
  template <class V, class Op>
  DEVICE static V combine(const V& value, Op op) {
    return block_combine<Threads>(value, op);
  }
};

template <int Threads>
struct ClusterGroup {
  static constexpr int block_threads = Threads;
  DEVICE static int threads() { return Threads * static_cast<int>(cluster_size()); }
  DEVICE static int rank() { return static_cast<int>(cluster_rank() * Threads + threadIdx.x); }
  DEVICE static int64_t index() { return blockIdx.x / cluster_size(); }
  DEVICE static int64_t count() { return gridDim.x / cluster_size(); }
  template <class V, class Op>
  DEVICE static V combine(const V& value, Op op) {
    return cluster_combine<Threads>(value, op);
  }
};

// N sums that travel together.
template <class C, int N>
struct Sums {
  C value[N];
};
template <class C, int N>
DEVICE Sums<C, N> operator+(const Sums<C, N>& a, const Sums<C, N>& b) {
  Sums<C, N> sums;
#pragma unroll
  for (int i = 0; i < N; ++i) sums.value[i] = a.value[i] + b.value[i];
  return sums;
}

struct Add {
  template <class V>
  DEVICE V operator()(const V& a, const V& b) const {
    return a + b;
  }
};
// A NaN in b is passed over.
struct Larger {
  template <class V>
  DEVICE V operator()(const V& a, const V& b) const {
    return b > a ? b : a;
  }
};

}  // namespace strata::gpu
