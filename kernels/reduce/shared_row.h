// Rows too long for registers stay in shared memory, of one block or of the blocks of a cluster
// together: device memory is still read once. A thread copies its own chunks (cp.async) and is the
// only one that reads them, so no barrier is needed; slots are 16 bytes apart by thread, so there
// are no bank conflicts.
#pragma once

#include <initializer_list>

#include "kernels/reduce/block_reduce.h"
#include "kernels/reduce/row.h"

namespace strata::gpu {

inline constexpr int shared_row_threads = 256;

// Slot k of this thread.
template <class T>
DEVICE Chunk<T>& slot(Chunk<T>* tile, int k) {
  return tile[k * shared_row_threads + static_cast<int>(threadIdx.x)];
}
template <bool Whole = false, class T>
DEVICE void copy_chunk(Chunk<T>& to, const T* row, int at, int n, T fill) {
  if (Whole ? at < n : at >= 0 && at + vector_width<T> <= n && aligned(row + at))
    copy_async<16>(&to, row + at);
  else
    to = load_chunk<Whole>(row, at, n, fill);
}

// How many blocks share a row, and what each holds.
struct SharedRowPlan {
  int cluster = 0;  // 0: the row does not fit
  int slots = 0;    // chunks a thread holds
  size_t bytes = 0;
};
// `arrays` rows of `chunks` chunks each. A cluster as small as leaves room for four blocks a
// multiprocessor; of 8 blocks when none does.
inline SharedRowPlan plan_shared_row(int64_t chunks, int arrays = 1) {
  const size_t room = device().shared_per_block - 4096, comfortable = room / 4;
  SharedRowPlan plan;
  for (int cluster : {1, 2, 4, 8}) {
    if (cluster > 1 && device().arch < 90) break;
    const int64_t threads = int64_t{cluster} * shared_row_threads;
    const int64_t slots = (chunks + threads - 1) / threads;
    const size_t bytes = static_cast<size_t>(slots * arrays * shared_row_threads * 16);
    if (bytes > room) continue;
    plan = {cluster, static_cast<int>(slots), bytes};
    if (bytes <= comfortable) break;
  }
  return plan;
}
inline LaunchConfig shared_row_launch(const SharedRowPlan& plan, int64_t rows) {
  const unsigned cluster = static_cast<unsigned>(plan.cluster);
  const size_t fit = device().shared_per_block / (plan.bytes + 1024);
  const unsigned blocks =
      static_cast<unsigned>(device().multiprocessors) * static_cast<unsigned>(fit < 1   ? 1
                                                                              : fit > 8 ? 8
                                                                                        : fit);
  const unsigned groups = blocks / cluster > 0 ? blocks / cluster : 1;
  const unsigned used = static_cast<unsigned>(rows < int64_t{groups} ? rows : int64_t{groups});
  return {.grid = used * cluster,
          .block = shared_row_threads,
          .shared = plan.bytes,
          .cluster = cluster};
}

// Calls f<Whole, Group>() for the threads of the plan; whole: see whole_chunks().
template <class F>
void with_shared_row(const SharedRowPlan& plan, bool whole, F&& f) {
  using Block = BlockGroup<shared_row_threads>;
  using Cluster = ClusterGroup<shared_row_threads>;
  if (plan.cluster > 1)
    whole ? f.template operator()<true, Cluster>() : f.template operator()<false, Cluster>();
  else
    whole ? f.template operator()<true, Block>() : f.template operator()<false, Block>();
}

}  // namespace strata::gpu
