// Rung 1: the definition, written down. A block a row; three loops over it: the maximum, the sum of
// exponentials, the result. One element a load.
//
// Device memory: 3 reads and 1 write of the row (the second and third read hit L2 for rows that fit
// there): 4 n bytes of the element type where 2 n is the least. Gradient: 2 reads of y and dy.
// H200, bf16, 2048 columns: 0.41 of a copy, gradient 0.73.
#include "kernels/softmax/online.h"
#include "kernels/softmax/rung.h"

namespace strata::gpu {
namespace {

constexpr int block_threads = 256;
using Group = BlockGroup<block_threads>;

template <class T>
__global__ void __launch_bounds__(block_threads, 1)
    softmax_three_pass_kernel(const T* x, T* y, int64_t rows, int n, bool log) {
  using C = Compute<T>;
  for (int64_t row = blockIdx.x; row < rows; row += gridDim.x) {
    const T* from = x + row * n;
    T* to = y + row * n;
    C largest = -infinity<C>;
    for (int i = static_cast<int>(threadIdx.x); i < n; i += block_threads)
      largest = Larger{}(largest, to_compute(from[i]));
    largest = Group::combine(largest, Larger{});
    C sum = 0;
    for (int i = static_cast<int>(threadIdx.x); i < n; i += block_threads)
      sum += exponential<T>(to_compute(from[i]) - largest);
    sum = Group::combine(sum, Add{});
    const C log_sum = logarithm(sum), factor = 1 / sum;
    for (int i = static_cast<int>(threadIdx.x); i < n; i += block_threads) {
      const C d = to_compute(from[i]) - largest;
      to[i] = from_compute<T>(log ? d - log_sum : exponential<T>(d) * factor);
    }
  }
}

template <class T>
__global__ void __launch_bounds__(block_threads, 1)
    softmax_gradient_three_pass_kernel(const T* y, const T* dy, T* dx, int64_t rows, int n,
                                       bool log) {
  using C = Compute<T>;
  for (int64_t row = blockIdx.x; row < rows; row += gridDim.x) {
    const int64_t at = row * n;
    C sum = 0;
    for (int i = static_cast<int>(threadIdx.x); i < n; i += block_threads) {
      const C g = to_compute(dy[at + i]);
      sum += log ? g : g * to_compute(y[at + i]);
    }
    sum = Group::combine(sum, Add{});
    for (int i = static_cast<int>(threadIdx.x); i < n; i += block_threads) {
      const C g = to_compute(dy[at + i]), p = to_compute(y[at + i]);
      dx[at + i] = from_compute<T>(log ? g - exponential<T>(p) * sum : p * (g - sum));
    }
  }
}

}  // namespace

bool softmax_is_rows(const SoftmaxArgs& args) { return args.inner == 1; }

void softmax_three_pass(const SoftmaxArgs& args) {
  visit_float(args.dtype, [&]<class T>(Type<T>) {
    launch<softmax_three_pass_kernel<T>>(
        {.grid = row_blocks(args.outer, 1, block_threads), .block = block_threads},
        static_cast<const T*>(args.x), static_cast<T*>(args.y), args.outer,
        static_cast<int>(args.size), args.log);
  });
}
void softmax_gradient_three_pass(const SoftmaxGradientArgs& args) {
  visit_float(args.dtype, [&]<class T>(Type<T>) {
    launch<softmax_gradient_three_pass_kernel<T>>(
        {.grid = row_blocks(args.outer, 1, block_threads), .block = block_threads},
        static_cast<const T*>(args.y), static_cast<const T*>(args.dy), static_cast<T*>(args.dx),
        args.outer, static_cast<int>(args.size), args.log);
  });
}

}  // namespace strata::gpu
