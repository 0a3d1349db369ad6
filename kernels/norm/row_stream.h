// What the streaming rungs share: blocks that stay for all rows, threads that own the same columns
// of every row, and
//
//   RowRing     the next rows are on their way to shared memory while a row is worked on: a
//               multiprocessor always has about 128 KiB of requests open, also while its threads
//               wait for one another. A thread copies its own chunks (cp.async) and is the only one
//               that reads them: no barrier, no bank conflict
//   team        a warp, a block, or the blocks of a cluster, which share a row and combine one
//               value a row at the price of one barrier: every warp sends its value to all blocks
//               of the team, and every warp adds up all that came, in the same order
//
// Rows begin on 16 bytes and are whole chunks long. Source of the ring: the multistage pipelines of
// CUTLASS; of the exchange: PTX ISA, "st.async".
#pragma once

#include "kernels/gpu/resident.h"
#include "kernels/reduce/block_reduce.h"
#include "kernels/reduce/row.h"

namespace strata::gpu {

// Threads of a multiprocessor, whose columns' constants and sums take 128 registers each.
inline constexpr int streaming_threads = 512;
// Chunks of the ring a thread, of all stages and arrays: 144 KiB a multiprocessor.
inline constexpr int ring_chunks = 18;
inline constexpr int most_stream_cluster = 8;

// Values of all warps of a team. Turns alternate between two halves: who sends for turn t + 2 has
// received all values of turn t + 1, which a warp sends after it has read those of turn t.
template <class V, int Warps>
struct Mailbox {
  V from[2][Warps];
  uint64_t arrived[2];  // mbarriers, of clusters
};

struct WarpTeam : WarpGroup {
  static constexpr int block_lanes = 32, most_warps = 1;  // lanes: threads of the team in a block
  DEVICE static int blocks() { return 1; }
  DEVICE static int block() { return 0; }
  DEVICE static int lane() { return rank(); }
  DEVICE static int part() { return static_cast<int>(blockIdx.x); }
  template <class V>
  DEVICE static void open() {}
};

template <int Threads>
struct BlockTeam : BlockGroup<Threads> {
  static constexpr int block_lanes = Threads, most_warps = Threads / 32;
  DEVICE static int blocks() { return 1; }
  DEVICE static int block() { return 0; }
  DEVICE static int lane() { return static_cast<int>(threadIdx.x); }
  DEVICE static int part() { return static_cast<int>(blockIdx.x); }
  DEVICE static int warps() { return most_warps; }
  template <class V>
  DEVICE static void open() {}
  template <class V>
  DEVICE static const V* exchange(const V& mine, int turn) {
    auto& box = block_shared<Mailbox<V, most_warps>>();
    if (threadIdx.x % 32 == 0) box.from[turn % 2][threadIdx.x / 32] = mine;
    __syncthreads();
    return box.from[turn % 2];
  }
};

template <int Threads>
struct ClusterTeam : ClusterGroup<Threads> {
  static constexpr int groups_per_block = 1, block_lanes = Threads;
  static constexpr int most_warps = most_stream_cluster * Threads / 32;
  DEVICE static int blocks() { return static_cast<int>(cluster_size()); }
  DEVICE static int block() { return static_cast<int>(cluster_rank()); }
  DEVICE static int lane() { return static_cast<int>(threadIdx.x); }
  DEVICE static int part() { return static_cast<int>(blockIdx.x / cluster_size()); }
  DEVICE static int warps() { return static_cast<int>(cluster_size()) * Threads / 32; }
  template <class V>
  DEVICE static void open() {
    auto& box = block_shared<Mailbox<V, most_warps>>();
    if (threadIdx.x == 0) {
      mbarrier_init(&box.arrived[0], 1);
      mbarrier_init(&box.arrived[1], 1);
      mbarrier_fence_init();
    }
    cluster_sync();
  }
  template <class V>
  DEVICE static const V* exchange(const V& mine, int turn) {
    auto& box = block_shared<Mailbox<V, most_warps>>();
    uint64_t* arrived = &box.arrived[turn % 2];
    if (threadIdx.x == 0) mbarrier_expect(arrived, static_cast<unsigned>(warps() * sizeof(V)));
    __syncwarp();  // the lanes that send speak for those that have read
    if (threadIdx.x % 32 < cluster_size())
      store_async(&box.from[turn % 2][(cluster_rank() * Threads + threadIdx.x) / 32], mine, arrived,
                  threadIdx.x % 32);
    mbarrier_wait(arrived, turn / 2 % 2);
    return box.from[turn % 2];
  }
};

// The sum of f(value, k) over the values that warps k of the team sent.
template <class Team, class V, class F>
DEVICE auto sum_of_warps(const V* values, F f) {
  const int lane = static_cast<int>(threadIdx.x % 32);
  decltype(f(values[0], 0)) sum{};
#pragma unroll
  for (int k = 0; k < (Team::most_warps + 31) / 32; ++k)
    if (lane + 32 * k < Team::warps()) sum = sum + f(values[lane + 32 * k], k);
  return warp_combine(sum, Add{});
}

// The columns of a thread: `chunks` chunks, at first, first + step, ... Each block of a team has an
// equal share of the row.
template <class T, class Team>
struct OwnColumns {
  static constexpr int step = Team::block_lanes * vector_width<T>;
  int share, first, end, chunks;  // share: columns of a block; end: of this block's

  DEVICE explicit OwnColumns(int n) {
    constexpr int W = vector_width<T>;
    share = (n / W + Team::blocks() - 1) / Team::blocks() * W;
    first = Team::block() * share + Team::lane() * W;
    end = end_of_block(Team::block(), n);
    chunks = first < end ? (end - first + step - W) / step : 0;
  }
  DEVICE int end_of_block(int block, int n) const {
    return (block + 1) * share < n ? (block + 1) * share : n;
  }
  DEVICE bool has(int v) const { return v < chunks; }
};

// The rows of a team: `count` of them, begin, begin + apart, ...
struct OwnRows {
  int64_t begin, apart;
  int count;

  template <class Team>
  DEVICE static OwnRows of(int64_t rows) {
    const int64_t begin = Team::index(), apart = Team::count();
    return {begin, apart, begin < rows ? static_cast<int>((rows - begin + apart - 1) / apart) : 0};
  }
  DEVICE int64_t operator[](int turn) const { return begin + turn * apart; }
};

template <class T, class Team, int Vectors, int Arrays>
struct RowRing {
  static constexpr int wanted = ring_chunks / (Vectors * Arrays);
  static constexpr int stages = wanted < 2 ? 2 : wanted > 8 ? 8 : wanted;
  static constexpr int chunks = stages * Vectors * Arrays;  // a thread
  Chunk<T>* tile = dynamic_shared<Chunk<T>>();
  int stage = 0;

  // Chunk v of array `which`, in the row whose turn it is.
  DEVICE Chunk<T>& slot(int which, int v) const {
    return tile[((stage * Arrays + which) * Vectors + v) * Team::block_threads +
                static_cast<int>(threadIdx.x)];
  }
  // Requests the first of the `rows` rows of a team, which begin `apart` elements from one another.
  // What lies outside a row becomes 0, and stays so.
  DEVICE void fill(const OwnColumns<T, Team>& own, const T* const (&row)[Arrays], int64_t apart,
                   int rows) {
    for (int s = 0; s < stages; ++s, next())
#pragma unroll
      for (int v = 0; v < Vectors; ++v)
#pragma unroll
        for (int which = 0; which < Arrays; ++which)
          copy_async<16>(&slot(which, v), row[which] + s * apart + own.first + v * own.step,
                         s < rows && own.has(v));
  }
  // Until the row whose turn it is has landed.
  DEVICE void wait() const { copy_wait<stages - 1>(); }
  // A later row's chunk comes where this row's lay.
  DEVICE void request(int which, int v, const T* from) const {
    copy_async<16>(&slot(which, v), from);
  }
  DEVICE void next() {
    copy_commit();
    stage = stage + 1 < stages ? stage + 1 : 0;
  }
};

// Calls f<Team, Vectors>(), the smallest team that holds a row of `chunks` chunks.
template <class F>
void with_row_team(int64_t chunks, F&& f) {
  if (chunks <= 32) return f.template operator()<WarpTeam, 1>();
  if (chunks <= 64) return f.template operator()<WarpTeam, 2>();
  if (chunks <= 96) return f.template operator()<WarpTeam, 3>();
  if (chunks <= 128) return f.template operator()<BlockTeam<64>, 2>();
  if (chunks <= 256) return f.template operator()<BlockTeam<128>, 2>();
  if (chunks <= 512) return f.template operator()<BlockTeam<256>, 2>();
  if (chunks <= 1024) return f.template operator()<BlockTeam<512>, 2>();
  if (chunks <= 2048) return f.template operator()<BlockTeam<512>, 4>();
  f.template operator()<ClusterTeam<512>, 4>();
}
// Blocks that share a row, for with_row_team: 0 where it does not fit.
inline unsigned blocks_of_row(int64_t chunks) {
  unsigned blocks = 1;
  while (blocks * int64_t{2048} < chunks) blocks *= 2;
  return blocks <= (device().arch < 90 ? 1u : unsigned{most_stream_cluster}) ? blocks : 0;
}

// Shared memory of a block beside the ring, at most: its mailbox, the sums that warps hand over at
// the end, and what CUDA keeps.
template <class Team>
inline constexpr size_t shared_beside = Team::block_threads * 40 + 2048;

// As many teams as fit on the device at once, of which each takes every n-th row. One more cluster
// would run alone, after the others, and clusters are not free to lie anywhere: CUDA is asked.
template <auto Kernel, class Team>
LaunchConfig stream_launch(int64_t rows, int64_t chunks, size_t shared) {
  const unsigned cluster = blocks_of_row(chunks);
  LaunchConfig config{
      .grid = cluster, .block = Team::block_threads, .shared = shared, .cluster = cluster};
  const unsigned wanted = divide_up(rows, Team::groups_per_block);
  unsigned resident = streaming_threads / Team::block_threads;
  const size_t room = (device().shared_per_block + 1024) / (shared + shared_beside<Team>);
  if (room < resident) resident = static_cast<unsigned>(room);
  resident *= static_cast<unsigned>(device().multiprocessors);
  if (cluster > 1) resident = resident_clusters<Kernel>(config);
  if (resident == 0) resident = 1;
  config.grid = cluster * (wanted < resident ? wanted : resident);
  return config;
}

// Whether rows are enough to keep the teams of a device busy for a while: with fewer, there is
// nothing to fetch ahead.
inline bool enough_to_stream(int64_t rows, int64_t chunks) {
  bool enough = false;
  with_row_team(chunks, [&]<class Team, int Vectors>() {
    const int64_t teams = int64_t{device().multiprocessors} * Team::groups_per_block *
                          (streaming_threads / Team::block_threads) / blocks_of_row(chunks);
    enough = rows >= 2 * teams;
  });
  return enough;
}

}  // namespace strata::gpu
