// The launcher: which rung runs.
#include "kernels/reduce/rung.h"
#include "kernels/reduce/walk.h"

namespace strata::gpu {

const ReduceRung& pick_reduce(ReduceKind kind, const ReduceArgs& args) {
  const ReduceRung &vectorised = reduce_rungs[2], &cluster = reduce_rungs[3],
                   &columns = reduce_rungs[4];
  const Walk walk = make_walk(args);
  const int64_t bytes = walk.length * static_cast<int64_t>(size_of(args.dtype));
  if (walk.columns) return columns;  // coalesced along outputs
  // Rows too few for a block each to fill the device, but enough for a cluster each.
  const int64_t multiprocessors = device().multiprocessors;
  if (walk.outputs >= multiprocessors / 8 && walk.outputs < multiprocessors * 4 &&
      bytes >= 64 * 1024 && reduce_takes_cluster(kind, args))
    return cluster;   // one launch
  return vectorised;  // a warp or a block a row, or parts and a second launch
}

void reduce(ReduceKind kind, const ReduceArgs& args) {
  if (make_walk(args).outputs == 0) return;
  pick_reduce(kind, args).run(kind, args);
}

}  // namespace strata::gpu
