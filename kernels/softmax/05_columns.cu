// Rung 5: an axis that is not the last. Neighbouring threads take neighbouring columns, so every
// access of a warp is contiguous, and 8 threads share a column's elements and combine through
// shared memory. Online, as rung 2.
//
// Device memory: 2 reads and 1 write where 1 and 1 is the least; the second read hits L2 when a
// block's columns fit there. Any sizes; inner = 1 too, then without contiguous accesses.
// Run on an H200 by its tests, not timed.
#include "kernels/softmax/online.h"
#include "kernels/softmax/rung.h"

namespace strata::gpu {
namespace {

constexpr int rows_of_block = 8;

// Element 0 of column c of an array [outer, size, inner].
DEVICE int64_t column_start(int64_t c, int64_t size, int64_t inner) {
  return c / inner * size * inner + c % inner;
}

template <class T>
__global__ void __launch_bounds__(32 * rows_of_block, 1)
    softmax_columns_kernel(const T* x, T* y, int64_t columns, int64_t size, int64_t inner,
                           bool log) {
  using C = Compute<T>;
  const int64_t column = static_cast<int64_t>(blockIdx.x) * 32 + threadIdx.x;
  const bool mine = column < columns;
  const int64_t start = mine ? column_start(column, size, inner) : 0, end = mine ? size : 0;
  auto state = OnlineSoftmax<T>::empty();
  for (int64_t i = threadIdx.y; i < end; i += rows_of_block) {
    const C value[1] = {to_compute(x[start + i * inner])};
    state.add(value);
  }
  state = column_combine<rows_of_block>(state, CombineOnline{});
  const C sum = state.total(), log_sum = logarithm(sum), factor = 1 / sum;
  for (int64_t i = threadIdx.y; i < end; i += rows_of_block) {
    const C d = to_compute(x[start + i * inner]) - state.largest;
    y[start + i * inner] = from_compute<T>(log ? d - log_sum : exponential<T>(d) * factor);
  }
}

template <class T>
__global__ void __launch_bounds__(32 * rows_of_block, 1)
    softmax_gradient_columns_kernel(const T* y, const T* dy, T* dx, int64_t columns, int64_t size,
                                    int64_t inner, bool log) {
  using C = Compute<T>;
  const int64_t column = static_cast<int64_t>(blockIdx.x) * 32 + threadIdx.x;
  const bool mine = column < columns;
  const int64_t start = mine ? column_start(column, size, inner) : 0, end = mine ? size : 0;
  C sum = 0;
  for (int64_t i = threadIdx.y; i < end; i += rows_of_block) {
    const C g = to_compute(dy[start + i * inner]);
    sum += log ? g : g * to_compute(y[start + i * inner]);
  }
  sum = column_combine<rows_of_block>(sum, Add{});
  for (int64_t i = threadIdx.y; i < end; i += rows_of_block) {
    const int64_t at = start + i * inner;
    const C g = to_compute(dy[at]), p = to_compute(y[at]);
    dx[at] = from_compute<T>(log ? g - exponential<T>(p) * sum : p * (g - sum));
  }
}

LaunchConfig columns_launch(int64_t columns) {
  return {.grid = divide_up(columns, 32), .block = dim3(32, rows_of_block)};
}

}  // namespace

bool softmax_any(const SoftmaxArgs&) { return true; }

void softmax_columns(const SoftmaxArgs& args) {
  const int64_t columns = args.outer * args.inner;
  visit_float(args.dtype, [&]<class T>(Type<T>) {
    launch<softmax_columns_kernel<T>>(columns_launch(columns), static_cast<const T*>(args.x),
                                      static_cast<T*>(args.y), columns, args.size, args.inner,
                                      args.log);
  });
}
void softmax_gradient_columns(const SoftmaxGradientArgs& args) {
  const int64_t columns = args.outer * args.inner;
  visit_float(args.dtype, [&]<class T>(Type<T>) {
    launch<softmax_gradient_columns_kernel<T>>(
        columns_launch(columns), static_cast<const T*>(args.y), static_cast<const T*>(args.dy),
        static_cast<T*>(args.dx), columns, args.size, args.inner, args.log);
  });
}

}  // namespace strata::gpu
