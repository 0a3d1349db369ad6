// Running sums and products along an axis, in f64 or i64.
//
// Lines whose elements are nearest in memory are scanned by a block each, 256 elements at a time:
// shuffles within a warp, one total a warp through shared memory, a carry from tile to tile. Where
// lines lie side by side, a thread takes a line and neighbours stay together.
// Device memory: cumulative_sum reads and writes once, the least. product_of_others reads twice,
// and keeps the products before each element as f64 in scratch memory (16 bytes an element moved).
// Run on an H200 by its tests, not timed.
#include "kernels/reduce/ops.h"
#include "kernels/reduce/walk.h"

namespace strata::gpu {
namespace {

constexpr int block_threads = 256, warps = block_threads / 32;

template <class T>
using RunningSum = std::conditional_t<is_real<T>, double, int64_t>;
// What a running sum of T is stored as.
template <class T>
using SumElement = std::conditional_t<is_real<T>, T, int64_t>;

template <class T>
DEVICE SumElement<T> stored(RunningSum<T> sum) {
  if constexpr (is_real<T>)
    return from_compute<T>(static_cast<Compute<T>>(sum));
  else
    return sum;
}

template <class V>
DEVICE V warp_scan(V value) {
#pragma unroll
  for (int delta = 1; delta < 32; delta *= 2) {
    const V before = __shfl_up_sync(0xffffffffu, value, delta);
    if (static_cast<int>(threadIdx.x % 32) >= delta) value += before;
  }
  return value;
}

template <class T>
__global__ void __launch_bounds__(block_threads, 1)
    cumulative_sum_rows_kernel(cpu::Lines lines, const T* x, SumElement<T>* out) {
  using V = RunningSum<T>;
  auto& totals = block_shared<WarpPartials<V, warps>>();
  const int warp = static_cast<int>(threadIdx.x) / 32;
  for (int64_t line = blockIdx.x; line < lines.count; line += gridDim.x) {
    const Offsets at = walk_offsets(lines.loops, lines.loop_count, line);
    V carry = 0;
    for (int64_t tile = 0; tile < lines.size; tile += block_threads) {
      const int64_t i = tile + threadIdx.x;
      const V mine = i < lines.size ? static_cast<V>(to_compute(x[at.x + i * lines.stride])) : V(0);
      V sum = warp_scan(mine);
      if (threadIdx.x % 32 == 31) totals.value[warp] = sum;
      __syncthreads();
      V before = carry;
      for (int w = 0; w < warp; ++w) before += totals.value[w];
      if (i < lines.size) out[at.out + i * lines.out_stride] = stored<T>(before + sum);
      for (int w = 0; w < warps; ++w) carry += totals.value[w];
      __syncthreads();
    }
  }
}

template <class T>
__global__ void __launch_bounds__(block_threads, 1)
    cumulative_sum_columns_kernel(cpu::Lines lines, const T* x, SumElement<T>* out) {
  const int64_t line = static_cast<int64_t>(blockIdx.x) * block_threads + threadIdx.x;
  if (line >= lines.count) return;
  const Offsets at = walk_offsets(lines.loops, lines.loop_count, line);
  RunningSum<T> sum = 0;
  for (int64_t i = 0; i < lines.size; ++i) {
    sum += static_cast<RunningSum<T>>(to_compute(x[at.x + i * lines.stride]));
    out[at.out + i * lines.out_stride] = stored<T>(sum);
  }
}

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

cpu::Lines scan_lines(int axis, const ReduceArgs& args) {
  int64_t out_strides[cpu::max_reduce_rank] = {};
  for (int64_t i = args.rank - 1, step = 1; i >= 0; step *= args.shape[i--]) out_strides[i] = step;
  return cpu::make_lines(args.rank, args.shape, args.strides, out_strides, axis);
}

}  // namespace

void cumulative_sum(int axis, bool reverse, const ReduceArgs& args) {
  cpu::Lines lines = scan_lines(axis, args);
  if (lines.count == 0 || lines.size == 0) return;
  const bool columns = lines_are_columns(lines);
  const int64_t start = reverse ? (lines.size - 1) * lines.stride : 0;
  const int64_t out_start = reverse ? (lines.size - 1) * lines.out_stride : 0;
  if (reverse) {
    lines.stride = -lines.stride;
    lines.out_stride = -lines.out_stride;
  }
  visit(args.dtype, [&]<class T>(Type<T>) {
    const T* x = static_cast<const T*>(args.x) + start;
    auto* out = static_cast<SumElement<T>*>(args.out) + out_start;
    if (columns)
      launch<cumulative_sum_columns_kernel<T>>(
          {.grid = divide_up(lines.count, block_threads), .block = block_threads}, lines, x, out);
    else
      launch<cumulative_sum_rows_kernel<T>>(
          {.grid = row_blocks(lines.count, 1, block_threads), .block = block_threads}, lines, x,
          out);
  });
}

void product_of_others(int axis, const ReduceArgs& args) {
  const cpu::Lines lines = scan_lines(axis, args);
  if (lines.count == 0 || lines.size == 0) return;
  const Scratch before(sizeof(double) * static_cast<size_t>(lines.count * lines.size));
  visit_float(args.dtype, [&]<class T>(Type<T>) {
    launch<product_of_others_kernel<T>>(
        {.grid = divide_up(lines.count, block_threads), .block = block_threads}, lines,
        static_cast<const T*>(args.x), static_cast<T*>(args.out), before.as<double>());
  });
}

}  // namespace strata::gpu
