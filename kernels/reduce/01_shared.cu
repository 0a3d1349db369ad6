// Rung 1: a block a row of f32. Each thread adds every 256th element; the 256 sums meet in shared
// memory and are added in a tree, half as many threads at each step.
//
// Device memory: the row is read once, 4 bytes a thread and load. 9 barriers a row; at the end of
// the tree most threads wait.
// Run on an H200 by its tests, not timed.
#include "kernels/reduce/rung.h"
#include "kernels/reduce/walk.h"

namespace strata::gpu {
namespace {

constexpr int block_threads = 256;

struct ThreadSums {
  double value[block_threads];
};

__global__ void __launch_bounds__(block_threads, 1)
    reduce_shared_kernel(Walk walk, const float* x, Finish finish) {
  ThreadSums& sums = block_shared<ThreadSums>();
  const int thread = static_cast<int>(threadIdx.x);
  for (int64_t output = blockIdx.x; output < walk.outputs; output += gridDim.x) {
    const Offsets at = walk_offsets(walk.kept, walk.kept_count, output);
    const SumOp<float> op;
    Blocks<SumOp<float>> mine(op);
    for (int64_t i = thread; i < walk.length; i += block_threads) mine.add(op, x[at.x + i]);
    mine.flush(op);
    sums.value[thread] = mine.total;
    __syncthreads();
    for (int half = block_threads / 2; half > 0; half /= 2) {
      if (thread < half) sums.value[thread] += sums.value[thread + half];
      __syncthreads();
    }
    if (thread == 0) finish.write(at.out, sums.value[0]);
    __syncthreads();
  }
}

}  // namespace

bool reduce_is_row_sum(ReduceKind kind, const ReduceArgs& args) {
  return kind == ReduceKind::sum && args.dtype == DType::f32 && make_walk(args).contiguous;
}
void reduce_shared(ReduceKind kind, const ReduceArgs& args) {
  const Walk walk = make_walk(args);
  launch<reduce_shared_kernel>(
      {.grid = row_blocks(walk.outputs, 1, block_threads), .block = block_threads}, walk,
      static_cast<const float*>(args.x) + walk.first, finish_of(kind, args));
}

}  // namespace strata::gpu
