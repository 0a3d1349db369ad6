// Rung 2: against rung 1, the 32 sums of a warp are added by shuffles, register to register; only
// one sum a warp goes through shared memory.
//
// Device memory: as rung 1. 2 barriers a row instead of 9; 64 bytes of shared memory instead of
// 2048.
// Run on an H200 by its tests, not timed.
#include "kernels/reduce/rung.h"
#include "kernels/reduce/walk.h"

namespace strata::gpu {
namespace {

using Group = BlockGroup<256>;

__global__ void __launch_bounds__(256, 1)
    reduce_shuffle_kernel(Walk walk, const float* x, Finish finish) {
  for (int64_t output = Group::index(); output < walk.outputs; output += Group::count()) {
    const Offsets at = walk_offsets(walk.kept, walk.kept_count, output);
    const SumOp<float> op;
    Blocks<SumOp<float>> mine(op);
    for (int64_t i = Group::rank(); i < walk.length; i += Group::threads())
      mine.add(op, x[at.x + i]);
    mine.flush(op);
    const double sum = Group::combine(mine.total, Add{});
    if (Group::rank() == 0) finish.write(at.out, sum);
  }
}

}  // namespace

void reduce_shuffle(ReduceKind kind, const ReduceArgs& args) {
  const Walk walk = make_walk(args);
  launch<reduce_shuffle_kernel>({.grid = row_blocks(walk.outputs, 1, 256), .block = 256}, walk,
                                static_cast<const float*>(args.x) + walk.first,
                                finish_of(kind, args));
}

}  // namespace strata::gpu
