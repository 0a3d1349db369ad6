// Gather: one thread an element of the result, neighbours along the innermost axis. Where whole
// rows are copied (embedding, index_select) and lie densely, 16 bytes take the part of an element:
// same kernel, a 4th to a 16th of the threads, and each index is read as many times less.
//
// Bytes: index and result once, the target where touched: rows of 32 bytes and more in whole
// sectors. Registers 28. Run on an H200 by its tests, not timed.
#include "kernels/index/plan.h"

namespace strata::gpu::index {

inline constexpr int gather_threads = 256;

// axes.target of the indexed axis is 0; `stride` is what an index multiplies.
template <class B, class Index>
__global__ __launch_bounds__(gather_threads) void gather_kernel(const B* target, B* source,
                                                                const Index* index, int64_t stride,
                                                                Axes axes) {
  const uint32_t position = blockIdx.x * gather_threads + threadIdx.x;
  if (position >= axes.count) return;
  const Place place = place_of(axes, position);
  source[place.source] = target[place.target + static_cast<int64_t>(index[place.index]) * stride];
}

namespace {

using Wide = Vec<uint32_t, 4>;

template <class B>
void launch_gather(const cpu::IndexArgs& args, int width) {
  Axes axes;
  for (int axis = args.rank - 1; axis >= 0; --axis) {
    const bool inner = axis == args.rank - 1;
    axes.add(args.shape[axis] / (inner ? width : 1),
             axis == args.axis ? 0 : args.target_strides[axis] / (inner ? 1 : width),
             args.source_strides[axis] / (inner ? 1 : width), args.index_strides[axis]);
  }
  visit_index(args.index_type, [&]<class Index>(Type<Index>) {
    launch<gather_kernel<B, Index>>(
        {.grid = divide_up(axes.count, gather_threads), .block = gather_threads},
        static_cast<const B*>(args.target), static_cast<B*>(args.source),
        static_cast<const Index*>(args.index), args.target_strides[args.axis] / width, axes);
  });
}

}  // namespace

void gather(const cpu::IndexArgs& args) {
  const int width = vector_elements(args);
  if (width > 1) return launch_gather<Wide>(args, width);
  visit_bits(args.dtype, [&]<class B>(Type<B>) { launch_gather<B>(args, 1); });
}

}  // namespace strata::gpu::index
