// Rung 3: against rung 2, 16 bytes a load with one running sum a place in the chunk; a warp takes a
// row, so no barrier is left; a long row is a block's work, or is cut into parts so that all
// multiprocessors have work, combined by a second kernel. Any kind and type; rows whose elements
// are strided, or lie in several runs, are read element by element.
//
// Device memory: the input once, the least, and a total a part (8 bytes of at least 4096 elements).
#include "kernels/gpu/resident.h"
#include "kernels/reduce/run.h"
#include "kernels/reduce/rung.h"

namespace strata::gpu {
namespace {

constexpr int block_threads = 128;

// What this thread has of terms begin..end of an output, wherever they lie.
template <class Op>
DEVICE typename Op::Total reduce_strided(const Op& op, const Walk& walk,
                                         const typename Op::Element* x, int64_t begin, int64_t end,
                                         typename Op::Shift shift, int rank, int threads) {
  Blocks<Op> mine(op);
  for (int64_t i = begin + rank; i < end; i += threads)
    mine.add(op, op.load(x[walk_offsets(walk.reduced, walk.reduced_count, i).x], shift));
  mine.flush(op);
  return mine.total;
}

// A part is the work of `threads`: a warp, or all threads of the block.
template <class Op>
__global__ void __launch_bounds__(block_threads, 1)
    reduce_vectorised_kernel(Op op, Walk walk, int threads, const typename Op::Element* x,
                             const typename Op::Shift* shifts, Finish finish,
                             typename Op::Total* partial) {
  using Merge = typename Op::Merge;
  const int thread = static_cast<int>(threadIdx.x), rank = thread % threads;
  const int teams = block_threads / threads;
  const int64_t units = walk.outputs * walk.parts, step = int64_t{gridDim.x} * teams;
  for (int64_t unit = int64_t{blockIdx.x} * teams + thread / threads; unit < units; unit += step) {
    const Offsets at = walk_offsets(walk.kept, walk.kept_count, unit / walk.parts);
    const int64_t begin = unit % walk.parts * walk.part;
    const int64_t end = begin + walk.part < walk.length ? begin + walk.part : walk.length;
    const typename Op::Shift shift = shifts ? shifts[at.out] : typename Op::Shift(0);
    typename Op::Total total =
        walk.contiguous
            ? reduce_run(op, x + at.x + begin, static_cast<int>(end - begin), shift, rank, threads)
            : reduce_strided(op, walk, x + at.x, begin, end, shift, rank, threads);
    total =
        threads > 32 ? block_combine<block_threads>(total, Merge{}) : warp_combine(total, Merge{});
    if (rank != 0) continue;
    if (partial)
      partial[unit] = total;
    else
      finish.write(at.out, total);
  }
}

}  // namespace

bool reduce_any(ReduceKind, const ReduceArgs&) { return true; }

// A warp an output while there are enough of them; long ones, if they are fewer, are a block's
// work, and are cut where even blocks are too few.
void reduce_vectorised(ReduceKind kind, const ReduceArgs& args) {
  Walk walk = make_walk(args);
  const Finish finish = finish_of(kind, args);
  visit_op(kind, args, [&]<class Op>(Op op) {
    constexpr int64_t long_row = 16 * 32 * vector_width<typename Op::Element>;
    const int64_t resident = resident_blocks<reduce_vectorised_kernel<Op>>(block_threads);
    const int warps = block_threads / 32;
    const bool blocks = walk.length >= long_row && walk.outputs < resident * warps;
    cut(walk, blocks ? resident : resident * warps, long_row);
    const int64_t units = walk.outputs * walk.parts;
    const Scratch partial(walk.parts > 1 ? static_cast<size_t>(units) * sizeof(typename Op::Total)
                                         : 0);
    launch<reduce_vectorised_kernel<Op>>(
        {.grid = line_blocks(units, blocks ? 1 : warps, block_threads), .block = block_threads}, op,
        walk, blocks ? block_threads : 32,
        static_cast<const typename Op::Element*>(args.x) + walk.first,
        static_cast<const typename Op::Shift*>(args.shift), finish,
        partial.as<typename Op::Total>());
    if (walk.parts > 1) combine_parts<Op>(walk, partial.as<typename Op::Total>(), finish);
  });
}

}  // namespace strata::gpu
