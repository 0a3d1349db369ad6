// Rung 2: against rung 1, mean and variance come out of one loop, and elements move in 16-byte
// chunks. The sums are taken about the row's first element, not about 0: sum x^2 - (sum x)^2 / n
// would lose every digit when the mean is large against the deviation.
//
// Device memory: 2 reads and 1 write of the row where 1 and 1 is the least. Takes rows of any
// length: the launcher's last resort. Gradient: x and dy are read twice for dx, and once more for
// dscale and dshift.
// H200, bf16, 2048 columns: 0.33 of a copy, gradients 0.23.
#include "kernels/norm/row_chunks.h"
#include "kernels/norm/rung.h"

namespace strata::gpu {
namespace {

constexpr int block_threads = 256;
using Group = BlockGroup<block_threads>;

template <class T>
__global__ void __launch_bounds__(block_threads, 1) row_norm_one_pass_kernel(RowNormArgs args) {
  using C = Compute<T>;
  constexpr int W = vector_width<T>, step = block_threads * W;
  const int n = static_cast<int>(args.channels);
  const C share = C(1) / static_cast<C>(n);
  for (int64_t row = blockIdx.x; row < args.rows; row += gridDim.x) {
    const T* x = static_cast<const T*>(args.x) + row * n;
    const int first = Group::rank() * W - phase_of(x);
    const C shift = args.mean ? to_compute(x[0]) : C(0);
    Sums<C, 2> sums{};
    for (int at = first; at < n; at += step)
      add_deviations(load_chunk(x, at, n, from_compute<T>(0)), at, n, shift, sums);
    sums = Group::combine(sums, Add{});
    if (!args.mean) sums.value[0] = 0;
    const auto of = statistics_about(shift, sums, share, static_cast<C>(args.epsilon));
    if (threadIdx.x == 0) write_statistics(args, row, of);
    for (int at = first; at < n; at += step)
      store_chunk(static_cast<T*>(args.y) + row * n, at, n,
                  normalised<T>(args, load_chunk(x, at, n, from_compute<T>(0)), at, n, of));
  }
}

template <class T>
__global__ void __launch_bounds__(block_threads, 1)
    row_norm_gradient_one_pass_kernel(RowNormGradientArgs args) {
  using C = Compute<T>;
  constexpr int W = vector_width<T>, step = block_threads * W;
  const int n = static_cast<int>(args.channels);
  const C share = C(1) / static_cast<C>(n);
  const T zero = from_compute<T>(0);
  for (int64_t row = blockIdx.x; row < args.rows; row += gridDim.x) {
    const T* x = static_cast<const T*>(args.x) + row * n;
    const T* dy = static_cast<const T*>(args.dy) + row * n;
    const int first = Group::rank() * W - phase_of(x);
    const auto of = saved_statistics<C>(args, row);
    Sums<C, 2> sums{};
    for (int at = first; at < n; at += step)
      add_gradient_terms(args, load_chunk(x, at, n, zero), load_chunk(dy, at, n, zero), at, n,
                         of.mean, sums);
    sums = Group::combine(sums, Add{});
    for (int at = first; at < n; at += step)
      store_chunk(static_cast<T*>(args.dx) + row * n, at, n,
                  input_gradient(args, load_chunk(x, at, n, zero), load_chunk(dy, at, n, zero), at,
                                 n, of, sums, share));
  }
}

}  // namespace

void row_norm_one_pass(const RowNormArgs& args) {
  visit_float(args.dtype, [&]<class T>(Type<T>) {
    launch<row_norm_one_pass_kernel<T>>(
        {.grid = row_blocks(args.rows, 1, block_threads), .block = block_threads}, args);
  });
}
void row_norm_gradient_one_pass(const RowNormGradientArgs& args) {
  if (args.dx && args.rows > 0) {
    visit_float(args.dtype, [&]<class T>(Type<T>) {
      launch<row_norm_gradient_one_pass_kernel<T>>(
          {.grid = row_blocks(args.rows, 1, block_threads), .block = block_threads}, args);
    });
  }
  row_norm_parameter_gradient(args);
}

}  // namespace strata::gpu
