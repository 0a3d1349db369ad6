// Rung 2: against rung 1, maximum and sum come out of one loop (the online softmax: a sum is
// rescaled when a larger element appears), and elements move in 16-byte chunks.
//
// Device memory: 2 reads and 1 write of the row: 3 n bytes of the element type where 2 n is the
// least. Takes rows of any length: the launcher's last resort for those that fit nowhere. Gradient:
// y and dy are read twice.
// H200, bf16, 2048 columns: 0.33 of a copy, gradient 0.40.
#include "kernels/softmax/online.h"
#include "kernels/softmax/rung.h"

namespace strata::gpu {
namespace {

constexpr int block_threads = 256;
using Group = BlockGroup<block_threads>;

template <class T>
__global__ void __launch_bounds__(block_threads, 1)
    softmax_online_kernel(const T* x, T* y, int64_t rows, int n, bool log) {
  using C = Compute<T>;
  constexpr int W = vector_width<T>, step = block_threads * W;
  for (int64_t row = blockIdx.x; row < rows; row += gridDim.x) {
    const T* from = x + row * n;
    T* to = y + row * n;
    const int first = Group::rank() * W - phase_of(from);
    auto state = OnlineSoftmax<T>::empty();
    C values[W];
    for (int at = first; at < n; at += step) {
      expand(load_chunk(from, at, n, minus_infinity<T>()), values);
      state.add(values);
    }
    state = Group::combine(state, CombineOnline{});
    const C sum = state.total(), log_sum = logarithm(sum), factor = 1 / sum;
    for (int at = first; at < n; at += step) {
      Chunk<T> chunk = load_chunk(from, at, n, minus_infinity<T>());
#pragma unroll
      for (int j = 0; j < W; ++j) {
        const C d = to_compute(chunk[j]) - state.largest;
        chunk[j] = from_compute<T>(log ? d - log_sum : exponential<T>(d) * factor);
      }
      store_chunk(to, at, n, chunk);
    }
  }
}

template <class T>
__global__ void __launch_bounds__(block_threads, 1)
    softmax_gradient_online_kernel(const T* y, const T* dy, T* dx, int64_t rows, int n, bool log) {
  using C = Compute<T>;
  constexpr int W = vector_width<T>, step = block_threads * W;
  for (int64_t row = blockIdx.x; row < rows; row += gridDim.x) {
    const T *p = y + row * n, *g = dy + row * n;
    const int first = Group::rank() * W - phase_of(p);
    C sum = 0;
    for (int at = first; at < n; at += step) {
      const Chunk<T> a = load_chunk(p, at, n, from_compute<T>(0)),
                     b = load_chunk(g, at, n, from_compute<T>(0));
#pragma unroll
      for (int j = 0; j < W; ++j)
        sum += log ? to_compute(b[j]) : to_compute(a[j]) * to_compute(b[j]);
    }
    sum = Group::combine(sum, Add{});
    for (int at = first; at < n; at += step) {
      const Chunk<T> a = load_chunk(p, at, n, from_compute<T>(0));
      Chunk<T> b = load_chunk(g, at, n, from_compute<T>(0));
#pragma unroll
      for (int j = 0; j < W; ++j) {
        const C v = to_compute(a[j]), d = to_compute(b[j]);
        b[j] = from_compute<T>(log ? d - exponential<T>(v) * sum : v * (d - sum));
      }
      store_chunk(dx + row * n, at, n, b);
    }
  }
}

}  // namespace

void softmax_online(const SoftmaxArgs& args) {
  visit_float(args.dtype, [&]<class T>(Type<T>) {
    launch<softmax_online_kernel<T>>(
        {.grid = row_blocks(args.outer, 1, block_threads), .block = block_threads},
        static_cast<const T*>(args.x), static_cast<T*>(args.y), args.outer,
        static_cast<int>(args.size), args.log);
  });
}
void softmax_gradient_online(const SoftmaxGradientArgs& args) {
  visit_float(args.dtype, [&]<class T>(Type<T>) {
    launch<softmax_gradient_online_kernel<T>>(
        {.grid = row_blocks(args.outer, 1, block_threads), .block = block_threads},
        static_cast<const T*>(args.y), static_cast<const T*>(args.dy), static_cast<T*>(args.dx),
        args.outer, static_cast<int>(args.size), args.log);
  });
}

}  // namespace strata::gpu
