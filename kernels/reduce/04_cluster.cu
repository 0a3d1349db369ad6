// Rung 4: against rung 3, the parts of a long row are the blocks of a cluster, which combine their
// totals through distributed shared memory (sm_90): one launch, and nothing but the result is
// written.
//
// Device memory: the input once, the least. For rows long enough for 8 blocks, and too few for a
// block each; a single row of a billion needs more blocks than a cluster has (rung 3).
#include "kernels/reduce/run.h"
#include "kernels/reduce/rung.h"

namespace strata::gpu {
namespace {

constexpr int cluster_blocks = 8;
using Group = ClusterGroup<256>;

template <class Op>
__global__ void __launch_bounds__(Group::block_threads, 1)
    reduce_cluster_kernel(Op op, Walk walk, const typename Op::Element* x,
                          const typename Op::Shift* shifts, Finish finish) {
  for (int64_t output = Group::index(); output < walk.outputs; output += Group::count()) {
    const Offsets at = walk_offsets(walk.kept, walk.kept_count, output);
    const typename Op::Shift shift = shifts ? shifts[at.out] : typename Op::Shift(0);
    const typename Op::Total total =
        Group::combine(reduce_run(op, x + at.x, static_cast<int>(walk.length), shift, Group::rank(),
                                  Group::threads()),
                       typename Op::Merge{});
    if (Group::rank() == 0) finish.write(at.out, total);
  }
}

}  // namespace

bool reduce_takes_cluster(ReduceKind, const ReduceArgs& args) {
  const Walk walk = make_walk(args);
  return device().arch >= 90 && walk.contiguous && !walk.columns && walk.length <= 1 << 30;
}

void reduce_cluster(ReduceKind kind, const ReduceArgs& args) {
  const Walk walk = make_walk(args);
  const int64_t room = int64_t{device().multiprocessors} * 8 / cluster_blocks;
  const unsigned clusters = static_cast<unsigned>(walk.outputs < room ? walk.outputs : room);
  visit_op(kind, args, [&]<class Op>(Op op) {
    launch<reduce_cluster_kernel<Op>>(
        {.grid = clusters * cluster_blocks,
         .block = Group::block_threads,
         .cluster = cluster_blocks},
        op, walk, static_cast<const typename Op::Element*>(args.x) + walk.first,
        static_cast<const typename Op::Shift*>(args.shift), finish_of(kind, args));
  });
}

}  // namespace strata::gpu
