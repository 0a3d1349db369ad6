// Rung 5: where an axis that stays is nearest in memory (a bias gradient sums all axes but the
// last). Neighbouring threads take neighbouring outputs, so every access of a warp is contiguous; 8
// threads share an output's terms and meet in shared memory; long columns are cut into parts that a
// second kernel combines. Any kind, type and strides.
//
// Device memory: the input once, the least, in accesses of one element a thread (64 bytes a warp
// for 16-bit types); fewer than 32 outputs side by side leave lanes idle. Run on an H200 by its
// tests, not timed.
#include "kernels/reduce/rung.h"
#include "kernels/reduce/walk.h"

namespace strata::gpu {
namespace {

constexpr int rows_of_block = 8;

template <class Op>
__global__ void __launch_bounds__(32 * rows_of_block, 1)
    reduce_columns_kernel(Op op, Walk walk, const typename Op::Element* x,
                          const typename Op::Shift* shifts, Finish finish,
                          typename Op::Total* partial) {
  const int64_t output = static_cast<int64_t>(blockIdx.x) * 32 + threadIdx.x;
  const bool mine = output < walk.outputs;
  const Offsets at = walk_offsets(walk.kept, walk.kept_count, mine ? output : 0);
  const typename Op::Shift shift = mine && shifts ? shifts[at.out] : typename Op::Shift(0);
  const int64_t begin = blockIdx.y * walk.part;
  int64_t end = begin + walk.part < walk.length ? begin + walk.part : walk.length;
  if (!mine) end = begin;
  Blocks<Op> blocks(op);
  for (int64_t i = begin + threadIdx.y; i < end; i += rows_of_block)
    blocks.add(op, op.load(x[at.x + walk_offsets(walk.reduced, walk.reduced_count, i).x], shift));
  blocks.flush(op);
  const auto total = column_combine<rows_of_block>(blocks.total, typename Op::Merge{});
  if (threadIdx.y != 0 || !mine) return;
  if (partial)
    partial[output * walk.parts + blockIdx.y] = total;
  else
    finish.write(at.out, total);
}

}  // namespace

void reduce_columns(ReduceKind kind, const ReduceArgs& args) {
  Walk walk = make_walk(args);
  cut(walk, int64_t{device().multiprocessors} * 8 * 32, 256);
  const Finish finish = finish_of(kind, args);
  visit_op(kind, args, [&]<class Op>(Op op) {
    const size_t totals = static_cast<size_t>(walk.parts > 1 ? walk.outputs * walk.parts : 0);
    const Scratch partial(totals * sizeof(typename Op::Total));
    launch<reduce_columns_kernel<Op>>(
        {.grid = dim3(divide_up(walk.outputs, 32), static_cast<unsigned>(walk.parts)),
         .block = dim3(32, rows_of_block)},
        op, walk, static_cast<const typename Op::Element*>(args.x) + walk.first,
        static_cast<const typename Op::Shift*>(args.shift), finish,
        partial.as<typename Op::Total>());
    if (walk.parts > 1) combine_parts<Op>(walk, partial.as<typename Op::Total>(), finish);
  });
}

}  // namespace strata::gpu
