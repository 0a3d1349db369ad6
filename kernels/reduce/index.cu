// The index of the first largest or smallest element of each line. Ties go to the smaller index and
// the first NaN wins, so the result does not depend on the order in which threads combine.
//
// Lines whose elements are nearest in memory are a warp's work each; where lines lie side by side,
// neighbouring threads take neighbouring lines and 8 threads share one.
// Device memory: the input once, the least, one element a load.
// Run on an H200 by its tests, not timed.
#include "kernels/reduce/ops.h"
#include "kernels/reduce/walk.h"

namespace strata::gpu {
namespace {

// index < 0: none yet.
template <class V>
struct Candidate {
  V value;
  int64_t index;
};
struct Better {
  template <class V>
  DEVICE Candidate<V> operator()(const Candidate<V>& a, const Candidate<V>& b) const {
    if (a.index < 0) return b;
    if (b.index < 0) return a;
    const bool a_nan = a.value != a.value, b_nan = b.value != b.value;
    const bool tie = a_nan == b_nan && (a_nan || a.value == b.value);
    if (tie) return a.index < b.index ? a : b;
    return b_nan || (!a_nan && b.value > a.value) ? b : a;
  }
};

// What threads rank, rank + step, ... of a line have.
template <class T>
DEVICE Candidate<typename ExtremeOp<T>::Lane> scan_line(const ExtremeOp<T>& op, const T* line,
                                                        int64_t size, int64_t stride, int64_t rank,
                                                        int64_t step) {
  Candidate<typename ExtremeOp<T>::Lane> best{op.identity(), -1};
  for (int64_t i = rank; i < size; i += step)
    best = Better{}(best, {op.load(line[i * stride], 0), i});
  return best;
}

template <class T>
__global__ void __launch_bounds__(WarpGroup::block_threads, 1)
    arg_extreme_rows_kernel(ExtremeOp<T> op, cpu::Lines lines, const T* x, int64_t* out) {
  for (int64_t line = WarpGroup::index(); line < lines.count; line += WarpGroup::count()) {
    const Offsets at = walk_offsets(lines.loops, lines.loop_count, line);
    const auto best = WarpGroup::combine(
        scan_line(op, x + at.x, lines.size, lines.stride, WarpGroup::rank(), 32), Better{});
    if (WarpGroup::rank() == 0) out[at.out] = best.index;
  }
}

constexpr int rows_of_block = 8;

template <class T>
__global__ void __launch_bounds__(32 * rows_of_block, 1)
    arg_extreme_columns_kernel(ExtremeOp<T> op, cpu::Lines lines, const T* x, int64_t* out) {
  const int64_t line = static_cast<int64_t>(blockIdx.x) * 32 + threadIdx.x;
  const bool mine = line < lines.count;
  const Offsets at = walk_offsets(lines.loops, lines.loop_count, mine ? line : 0);
  const auto best = column_combine<rows_of_block>(
      scan_line(op, x + at.x, mine ? lines.size : 0, lines.stride, threadIdx.y, rows_of_block),
      Better{});
  if (threadIdx.y == 0 && mine) out[at.out] = best.index;
}

}  // namespace

void arg_extreme(bool largest, int axis, const ReduceArgs& args) {
  int64_t out_strides[cpu::max_reduce_rank] = {};
  for (int64_t i = args.rank - 1, step = 1; i >= 0; --i) {
    out_strides[i] = i == axis ? 0 : step;
    if (i != axis) step *= args.shape[i];
  }
  const cpu::Lines lines = cpu::make_lines(args.rank, args.shape, args.strides, out_strides, axis);
  if (lines.count == 0) return;
  visit(args.dtype, [&]<class T>(Type<T>) {
    const T* x = static_cast<const T*>(args.x);
    int64_t* out = static_cast<int64_t*>(args.out);
    if (lines_are_columns(lines))
      launch<arg_extreme_columns_kernel<T>>(
          {.grid = divide_up(lines.count, 32), .block = dim3(32, rows_of_block)},
          ExtremeOp<T>{!largest}, lines, x, out);
    else
      launch<arg_extreme_rows_kernel<T>>(
          {.grid = row_blocks(lines.count, WarpGroup::groups_per_block, WarpGroup::block_threads),
           .block = WarpGroup::block_threads},
          ExtremeOp<T>{!largest}, lines, x, out);
  });
}

}  // namespace strata::gpu
