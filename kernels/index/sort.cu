// The entry point of sort and top-k on a GPU: a few elements of long lines are selected
// (06_select.cu); else lines of at most 1024 elements of 32 bits are sorted in registers
// (07_warp_sort.cu), of 2048 elements of any type in shared memory (04_bitonic.cu), and longer ones
// in device memory (05_radix_sort.cu).
#include "kernels/index/sort.h"

#include "kernels/index/order.h"

namespace strata::gpu {

void sort(const cpu::SortArgs& args) {
  int64_t count = 1, inner = 1;
  for (int axis = 0; axis < args.rank; ++axis) {
    if (axis != args.axis) count *= args.shape[axis];
    if (axis > args.axis) inner *= args.shape[axis];
  }
  if (count == 0 || args.k == 0) return;
  const int64_t size = args.rank > 0 ? args.shape[args.axis] : 1, limit = int64_t{1} << 31;
  if (count >= limit || size >= limit)
    throw Error("sorting " + std::to_string(count) + " lines of " + std::to_string(size) +
                ": the GPU's sort takes fewer than 2^31 of either");
  order::Lines lines{};
  lines.x = args.x;
  lines.values = args.values;
  lines.indices = args.indices;
  lines.dtype = args.dtype;
  lines.bytes = static_cast<int>(size_of(args.dtype));
  lines.descending = args.descending;
  lines.count = static_cast<uint32_t>(count);
  lines.size = static_cast<uint32_t>(size);
  lines.k = static_cast<uint32_t>(args.k);
  lines.stride = args.rank > 0 ? args.strides[args.axis] : 1;
  lines.inner = Divisor(static_cast<uint32_t>(inner));
  for (int axis = args.rank - 1; axis >= 0; --axis) {
    if (axis == args.axis) continue;
    lines.sizes[lines.rank] = Divisor(static_cast<uint32_t>(args.shape[axis]));
    lines.strides[lines.rank++] = args.strides[axis];
  }
  if (order::selects(lines)) return order::select(lines);
  if (order::fits_warp(lines)) return order::warp_sort(lines);
  if (size <= order::largest_bitonic) return order::bitonic(lines);
  order::radix(lines);
}

}  // namespace strata::gpu
