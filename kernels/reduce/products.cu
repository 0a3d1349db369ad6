// For each element the product of the others of its line along an axis, in f64: the products before
// each element, then those behind it. A thread takes a line; neighbouring threads, neighbouring
// lines.
//
// Device memory: reads twice, and keeps the products before each element as f64 in scratch memory
// (16 bytes an element moved). Run on an H200 by its tests, not timed.
#include "kernels/reduce/ops.h"
#include "kernels/reduce/walk.h"

namespace strata::gpu {
namespace {

constexpr int block_threads = 256;

// before is [size][count]: element i of line l at i count + l.
template <class T>
__global__ void __launch_bounds__(block_threads, 1)
    product_of_others_kernel(cpu::Lines lines, const T* x, T* out, double* before) {
  const int64_t line = static_cast<int64_t>(blockIdx.x) * block_threads + threadIdx.x;
  if (line >= lines.count) return;
  const Offsets at = walk_offsets(lines.loops, lines.loop_count, line);
  double product = 1;
  for (int64_t i = 0; i < lines.size; ++i) {
    before[i * lines.count + line] = product;
    product *= static_cast<double>(to_compute(x[at.x + i * lines.stride]));
  }
  product = 1;
  for (int64_t i = lines.size - 1; i >= 0; --i) {
    out[at.out + i * lines.out_stride] =
        from_compute<T>(static_cast<Compute<T>>(before[i * lines.count + line] * product));
    product *= static_cast<double>(to_compute(x[at.x + i * lines.stride]));
  }
}

}  // namespace

void product_of_others(int axis, const ReduceArgs& args) {
  const cpu::Lines lines = lines_along(axis, args);
  if (lines.count == 0 || lines.size == 0) return;
  const Scratch before(sizeof(double) * static_cast<size_t>(lines.count * lines.size));
  visit_float(args.dtype, [&]<class T>(Type<T>) {
    launch<product_of_others_kernel<T>>(
        {.grid = divide_up(lines.count, block_threads), .block = block_threads}, lines,
        static_cast<const T*>(args.x), static_cast<T*>(args.out), before.as<double>());
  });
}

}  // namespace strata::gpu
