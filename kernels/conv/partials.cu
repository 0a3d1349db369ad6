// Fixed-order sums: a block of 32 columns x 8 rows; each row of threads adds every eighth slice,
// and thread row 0 adds the eight sums in order. Bound by memory: each element is read once.
#include "kernels/conv/partials.h"

#include <algorithm>

#include "kernels/gpu/gpu.h"
#include "kernels/gpu/scratch.h"

namespace strata::gpu::conv {
namespace {

constexpr int rows = 8;

// Slices [begin, end) of every block row y are summed into out[y].
template <class In, class Out>
__global__ void __launch_bounds__(32 * rows)
    fold_kernel(const In* slices, int64_t count, int64_t size, int64_t slices_a_block, Out* out) {
  using Sum = Compute<In>;
  struct Shared {
    Sum sum[rows][32];
  };
  Shared& shared = block_shared<Shared>();
  const int column = static_cast<int>(threadIdx.x), row = static_cast<int>(threadIdx.y);
  const int64_t i = static_cast<int64_t>(blockIdx.x) * 32 + column;
  const int64_t begin = blockIdx.y * slices_a_block, end = min(count, begin + slices_a_block);
  Sum sum = 0;
  if (i < size) {
    for (int64_t s = begin + row; s < end; s += rows) sum += static_cast<Sum>(slices[s * size + i]);
  }
  shared.sum[row][column] = sum;
  __syncthreads();
  if (row != 0 || i >= size) return;
  for (int r = 1; r < rows; ++r) sum += shared.sum[r][column];
  out[blockIdx.y * size + i] = static_cast<Out>(sum);
}

}  // namespace

void fold(DType dtype, const void* slices, int64_t count, int64_t size, void* out) {
  if (size == 0) return;
  visit_float(dtype, [&]<class T>(Type<T>) {
    launch<fold_kernel<Compute<T>, T>>({.grid = divide_up(size, 32), .block = dim3(32, rows)},
                                       static_cast<const Compute<T>*>(slices), count, size, count,
                                       static_cast<T*>(out));
  });
}

void channel_sums(DType dtype, const void* gradient, int64_t pixels, int64_t channels, void* out) {
  if (channels == 0) return;
  visit_float(dtype, [&]<class T>(Type<T>) {
    const int64_t parts = std::clamp<int64_t>(pixels / 256, 1, 512);
    Scratch partial(static_cast<size_t>(parts * channels) * sizeof(Compute<T>));
    launch<fold_kernel<T, Compute<T>>>(
        {.grid = dim3(divide_up(channels, 32), static_cast<unsigned>(parts)),
         .block = dim3(32, rows)},
        static_cast<const T*>(gradient), pixels, channels, (pixels + parts - 1) / parts,
        partial.as<Compute<T>>());
    fold(dtype, partial.as<void>(), parts, channels, out);
  });
}

}  // namespace strata::gpu::conv
