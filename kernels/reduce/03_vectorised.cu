// Rung 3: against rung 2, 16 bytes a load with one running sum a place in the chunk; a warp takes a
// row, so no barrier is left; and a long row is cut into parts so that all multiprocessors have
// work, combined by a second kernel. Any kind and type; rows whose elements are strided, or lie in
// several runs, are read element by element.
//
// Device memory: the input once, the least, and a total a part (8 bytes of at least 4096 elements).
// Run on an H200 by its tests, not timed.
#include "kernels/reduce/run.h"
#include "kernels/reduce/rung.h"

namespace strata::gpu {
namespace {

// What this thread has of terms begin..end of an output, wherever they lie.
template <class Group, class Op>
DEVICE typename Op::Total reduce_strided(const Op& op, const Walk& walk,
                                         const typename Op::Element* x, int64_t begin, int64_t end,
                                         typename Op::Shift shift) {
  Blocks<Op> mine(op);
  for (int64_t i = begin + Group::rank(); i < end; i += Group::threads())
    mine.add(op, op.load(x[walk_offsets(walk.reduced, walk.reduced_count, i).x], shift));
  mine.flush(op);
  return mine.total;
}

template <class Op>
__global__ void __launch_bounds__(WarpGroup::block_threads, 1)
    reduce_vectorised_kernel(Op op, Walk walk, const typename Op::Element* x,
                             const typename Op::Shift* shifts, Finish finish,
                             typename Op::Total* partial) {
  using Group = WarpGroup;
  for (int64_t unit = Group::index(); unit < walk.outputs * walk.parts; unit += Group::count()) {
    const Offsets at = walk_offsets(walk.kept, walk.kept_count, unit / walk.parts);
    const int64_t begin = unit % walk.parts * walk.part;
    const int64_t end = begin + walk.part < walk.length ? begin + walk.part : walk.length;
    const typename Op::Shift shift = shifts ? shifts[at.out] : typename Op::Shift(0);
    typename Op::Total total =
        walk.contiguous
            ? reduce_run<Group>(op, x + at.x + begin, static_cast<int>(end - begin), shift)
            : reduce_strided<Group>(op, walk, x + at.x, begin, end, shift);
    total = Group::combine(total, typename Op::Merge{});
    if (Group::rank() != 0) continue;
    if (partial)
      partial[unit] = total;
    else
      finish.write(at.out, total);
  }
}

}  // namespace

bool reduce_any(ReduceKind, const ReduceArgs&) { return true; }

void reduce_vectorised(ReduceKind kind, const ReduceArgs& args) {
  Walk walk = make_walk(args);
  const int64_t resident_warps = int64_t{device().multiprocessors} * 64;
  cut(walk, resident_warps, 4096);
  const Finish finish = finish_of(kind, args);
  visit_op(kind, args, [&]<class Op>(Op op) {
    const int64_t units = walk.outputs * walk.parts;
    const Scratch partial(walk.parts > 1 ? static_cast<size_t>(units) * sizeof(typename Op::Total)
                                         : 0);
    launch<reduce_vectorised_kernel<Op>>(
        {.grid = row_blocks(units, WarpGroup::groups_per_block, WarpGroup::block_threads),
         .block = WarpGroup::block_threads},
        op, walk, static_cast<const typename Op::Element*>(args.x) + walk.first,
        static_cast<const typename Op::Shift*>(args.shift), finish,
        partial.as<typename Op::Total>());
    if (walk.parts > 1) combine_parts<Op>(walk, partial.as<typename Op::Total>(), finish);
  });
}

}  // namespace strata::gpu
