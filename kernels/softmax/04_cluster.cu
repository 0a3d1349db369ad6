// Rung 4: against rung 3, rows that no block's registers hold stay in shared memory (cp.async, 16
// bytes a copy), and where one block's is too small (or would leave room for few blocks), in that
// of a cluster of 2, 4 or 8 blocks, which combine their sums through distributed shared memory
// (sm_90). Maximum and sum come from one online pass over shared memory.
//
// Device memory: 1 read and 1 write, the least, for rows of up to 8 x 223 KiB: 900 thousand
// elements of 16 bits (the gradient, which holds two rows, half of that). On sm_80: one block, 159
// KiB. H200, bf16: forward 2.8 to 3.4 TB/s (0.67 to 0.81 of a copy), gradient 0.7.
#include "kernels/reduce/shared_row.h"
#include "kernels/softmax/online.h"
#include "kernels/softmax/rung.h"

namespace strata::gpu {
namespace {

template <bool Whole, class T, class Group>
__global__ void __launch_bounds__(shared_row_threads, 1)
    softmax_cluster_kernel(const T* x, T* y, int64_t rows, int n, int slots, bool log) {
  using C = Compute<T>;
  constexpr int W = vector_width<T>;
  auto* tile = dynamic_shared<Chunk<T>>();
  const int step = Group::threads() * W;
  for (int64_t row = Group::index(); row < rows; row += Group::count()) {
    const T* from = x + row * n;
    const int first = Group::rank() * W - (Whole ? 0 : phase_of(from));
    for (int k = 0; k < slots; ++k)
      copy_chunk<Whole>(slot(tile, k), from, first + k * step, n, minus_infinity<T>());
    copy_commit();
    copy_wait<0>();
    auto state = OnlineSoftmax<T>::empty();
    C values[W];
    for (int k = 0; k < slots; ++k) {
      expand(slot(tile, k), values);
      state.add(values);
    }
    state = Group::combine(state, CombineOnline{});
    const C sum = state.total(), log_sum = logarithm(sum), factor = 1 / sum;
    for (int k = 0; k < slots; ++k) {
      expand(slot(tile, k), values);
#pragma unroll
      for (int j = 0; j < W; ++j) {
        const C d = values[j] - state.largest;
        values[j] = log ? d - log_sum : exponential_or_zero<T>(d) * factor;
      }
      store_chunk<Whole>(y + row * n, first + k * step, n, contract<T>(values));
    }
  }
}

template <bool Whole, class T, class Group>
__global__ void __launch_bounds__(shared_row_threads, 1)
    softmax_gradient_cluster_kernel(const T* y, const T* dy, T* dx, int64_t rows, int n, int slots,
                                    bool log) {
  using C = Compute<T>;
  constexpr int W = vector_width<T>;
  auto* tile = dynamic_shared<Chunk<T>>();
  const int step = Group::threads() * W;
  for (int64_t row = Group::index(); row < rows; row += Group::count()) {
    const T *p = y + row * n, *g = dy + row * n;
    const int first = Group::rank() * W - (Whole ? 0 : phase_of(p));
    for (int k = 0; k < slots; ++k) {
      copy_chunk<Whole>(slot(tile, 2 * k), p, first + k * step, n, from_compute<T>(0));
      copy_chunk<Whole>(slot(tile, 2 * k + 1), g, first + k * step, n, from_compute<T>(0));
    }
    copy_commit();
    copy_wait<0>();
    C a[W], b[W], sum = 0;
    for (int k = 0; k < slots; ++k) {
      expand(slot(tile, 2 * k), a);
      expand(slot(tile, 2 * k + 1), b);
#pragma unroll
      for (int j = 0; j < W; ++j) a[j] = log ? b[j] : a[j] * b[j];
      sum += combine_pairs(a, Add{});
    }
    sum = Group::combine(sum, Add{});
    for (int k = 0; k < slots; ++k) {
      expand(slot(tile, 2 * k), a);
      expand(slot(tile, 2 * k + 1), b);
#pragma unroll
      for (int j = 0; j < W; ++j)
        b[j] = log ? b[j] - exponential_or_zero<T>(a[j]) * sum : a[j] * (b[j] - sum);
      store_chunk<Whole>(dx + row * n, first + k * step, n, contract<T>(b));
    }
  }
}

template <class T>
SharedRowPlan plan_of(const void* x, int64_t n, int arrays) {
  return plan_shared_row(chunks_of_row<T>(x, n), arrays);
}

}  // namespace

bool softmax_fits_cluster(const SoftmaxArgs& args) {
  if (args.inner != 1) return false;
  return visit_float(
      args.dtype, [&]<class T>(Type<T>) { return plan_of<T>(args.x, args.size, 1).cluster > 0; });
}
bool softmax_gradient_fits_cluster(const SoftmaxGradientArgs& args) {
  if (args.inner != 1) return false;
  return visit_float(
      args.dtype, [&]<class T>(Type<T>) { return plan_of<T>(args.y, args.size, 2).cluster > 0; });
}

void softmax_cluster(const SoftmaxArgs& args) {
  visit_float(args.dtype, [&]<class T>(Type<T>) {
    const SharedRowPlan plan = plan_of<T>(args.x, args.size, 1);
    const LaunchConfig config = shared_row_launch(plan, args.outer);
    const bool whole = whole_chunks(static_cast<const T*>(args.x), args.size) && aligned(args.y);
    with_shared_row(plan, whole, [&]<bool Whole, class Group>() {
      launch<softmax_cluster_kernel<Whole, T, Group>>(
          config, static_cast<const T*>(args.x), static_cast<T*>(args.y), args.outer,
          static_cast<int>(args.size), plan.slots, args.log);
    });
  });
}
void softmax_gradient_cluster(const SoftmaxGradientArgs& args) {
  visit_float(args.dtype, [&]<class T>(Type<T>) {
    const SharedRowPlan plan = plan_of<T>(args.y, args.size, 2);
    const LaunchConfig config = shared_row_launch(plan, args.outer);
    const bool whole = whole_chunks(static_cast<const T*>(args.y), args.size) && aligned(args.dy) &&
                       aligned(args.dx);
    with_shared_row(plan, whole, [&]<bool Whole, class Group>() {
      launch<softmax_gradient_cluster_kernel<Whole, T, Group>>(
          config, static_cast<const T*>(args.y), static_cast<const T*>(args.dy),
          static_cast<T*>(args.dx), args.outer, static_cast<int>(args.size), plan.slots, args.log);
    });
  });
}

}  // namespace strata::gpu
