// Entry points of gather and scatter on a GPU, and the choice of the rung:
//
//   gather                                            01_gather.cu
//   scatter: lines of at most 32, or 16384 lines      02_scatter_lines.cu
//   scatter: otherwise (embedding gradients)          03_scatter_sorted.cu
#include "kernels/index/index.h"

#include <bit>

#include "kernels/gpu/scratch.h"
#include "kernels/index/plan.h"

namespace strata::gpu {

using cpu::IndexArgs;

namespace {

int64_t count_of(const IndexArgs& args) {
  int64_t count = 1;
  for (int axis = 0; axis < args.rank; ++axis) count *= args.shape[axis];
  return count;
}

// Kernels count in 32 bits: larger work is halved across the indexed axis.
template <class F>
void for_each_part(const IndexArgs& args, F&& f) {
  if (count_of(args) < int64_t{1} << 31) return f(args);
  int longest = -1;
  for (int axis = 0; axis < args.rank; ++axis)
    if (axis != args.axis && (longest < 0 || args.shape[axis] > args.shape[longest]))
      longest = axis;
  if (longest < 0 || args.shape[longest] < 2)
    throw Error("an index of " + std::to_string(count_of(args)) +
                " along one axis: the GPU's kernels take fewer than 2^31");
  int64_t shape[cpu::max_index_rank];
  std::copy(args.shape, args.shape + args.rank, shape);
  const int64_t half = shape[longest] / 2, element = static_cast<int64_t>(size_of(args.dtype));
  IndexArgs part = args;
  part.shape = shape;
  shape[longest] = half;
  for_each_part(part, f);
  shape[longest] = args.shape[longest] - half;
  part.target = static_cast<char*>(part.target) + half * args.target_strides[longest] * element;
  part.source = static_cast<char*>(part.source) + half * args.source_strides[longest] * element;
  part.index = static_cast<const char*>(part.index) +
               half * args.index_strides[longest] * static_cast<int64_t>(size_of(args.index_type));
  for_each_part(part, f);
}

void scatter(const IndexArgs& args, bool add) {
  if (count_of(args) == 0) return;
  for_each_part(args, [&](const IndexArgs& part) {
    const int64_t length = part.shape[part.axis], lines = count_of(part) / length;
    if (length <= 32 || lines >= 16384) return index::scatter_lines(part, add);
    index::scatter_sorted(part, add);
  });
}

// An array of rank 0 as one of rank 1.
const int64_t one = 1;
IndexArgs with_axis(IndexArgs args) {
  if (args.rank > 0) return args;
  args.rank = 1;
  args.axis = 0;
  args.shape = args.target_strides = args.source_strides = args.index_strides = &one;
  return args;
}

}  // namespace

void gather(const IndexArgs& args) {
  if (count_of(args) > 0) for_each_part(with_axis(args), index::gather);
}
void scatter(const IndexArgs& args) { scatter(with_axis(args), false); }
void scatter_add(const IndexArgs& args) { scatter(with_axis(args), true); }

namespace index {

// first: the least flat position of an index outside [0, size). Minima of integers have no order,
// so atomics are as good as any.
template <class Index>
__global__ __launch_bounds__(256) void find_bad_kernel(const Index* index, Axes axes, Axes flat,
                                                       int64_t size, unsigned long long* first) {
  const uint32_t position = blockIdx.x * 256 + threadIdx.x;
  if (position >= axes.count) return;
  const int64_t value = static_cast<int64_t>(index[place_of(axes, position).index]);
  if (value >= 0 && value < size) return;
  atomicMin(first, static_cast<unsigned long long>(place_of(flat, position).index));
}

}  // namespace index

int64_t find_bad_index(const void* index, DType type, int rank, const int64_t* shape,
                       const int64_t* strides, int64_t size) {
  int64_t count = 1;
  for (int axis = 0; axis < rank; ++axis) count *= shape[axis];
  if (count == 0 || is_capturing(current_stream())) return -1;
  // Axes that repeat the list are looked at once; `flat` has the strides of the answer.
  index::Axes axes, flat;
  int64_t step = 1;
  count = 1;
  for (int axis = rank - 1; axis >= 0; --axis) {
    const int64_t length = strides[axis] == 0 ? 1 : shape[axis];
    axes.add(length, 0, 0, strides[axis]);
    flat.add(length, 0, 0, step);
    step *= shape[axis];
    count *= length;
  }
  if (count >= int64_t{1} << 31)
    throw Error("checking " + std::to_string(count) +
                " indices: the GPU's kernel takes fewer than 2^31");
  const Scratch first(sizeof(uint64_t));
  fill_bytes(first.as<void>(), 0xff, sizeof(uint64_t), current_stream());
  index::visit_index(type, [&]<class Index>(Type<Index>) {
    launch<index::find_bad_kernel<Index>>({.grid = divide_up(count, 256), .block = 256},
                                          static_cast<const Index*>(index), axes, flat, size,
                                          first.as<unsigned long long>());
  });
  int64_t found = -1;
  copy_to_host(&found, first.as<void>(), sizeof found, current_stream());
  synchronize(current_stream());
  return found;
}

}  // namespace strata::gpu
