// Rung 4: against rung 3, long rows stay in shared memory, of one block or of a cluster whose
// blocks combine their sums through distributed shared memory (sm_90).
//
// Device memory: 1 read and 1 write, the least, for rows of up to 8 x 223 KiB. Gradient: x and dy
// are read once for dx (half as long rows), and once more for dscale and dshift: a thread has too
// few registers left for their partial sums.
// H200, bf16: 1.8 to 3.4 TB/s, 0.4 to 0.8 of a copy; gradient 0.3.
#include "kernels/norm/row_chunks.h"
#include "kernels/norm/rung.h"
#include "kernels/reduce/shared_row.h"

namespace strata::gpu {
namespace {

template <class T, class Group>
__global__ void __launch_bounds__(shared_row_threads, 1)
    row_norm_cluster_kernel(RowNormArgs args, int slots) {
  using C = Compute<T>;
  constexpr int W = vector_width<T>;
  auto* tile = dynamic_shared<Chunk<T>>();
  const int n = static_cast<int>(args.channels), step = Group::threads() * W;
  const C share = C(1) / static_cast<C>(n);
  for (int64_t row = Group::index(); row < args.rows; row += Group::count()) {
    const T* x = static_cast<const T*>(args.x) + row * n;
    const int first = Group::rank() * W - phase_of(x);
    for (int k = 0; k < slots; ++k)
      copy_chunk(slot(tile, k), x, first + k * step, n, from_compute<T>(0));
    copy_commit();
    copy_wait<0>();
    C mean = 0;
    if (args.mean) {
      for (int k = 0; k < slots; ++k) mean += sum_of_chunk<T>(slot(tile, k));
      mean = Group::combine(mean, Add{}) * share;
    }
    Sums<C, 2> sums{};
    for (int k = 0; k < slots; ++k) add_deviations(slot(tile, k), first + k * step, n, mean, sums);
    sums = Group::combine(sums, Add{});
    if (!args.mean) sums.value[0] = 0;
    const auto of = statistics_about(mean, sums, share, static_cast<C>(args.epsilon));
    if (Group::rank() == 0) write_statistics(args, row, of);
    for (int k = 0; k < slots; ++k)
      store_chunk(static_cast<T*>(args.y) + row * n, first + k * step, n,
                  normalised<T>(args, slot(tile, k), first + k * step, n, of));
  }
}

template <class T, class Group>
__global__ void __launch_bounds__(shared_row_threads, 1)
    row_norm_gradient_cluster_kernel(RowNormGradientArgs args, int slots) {
  using C = Compute<T>;
  constexpr int W = vector_width<T>;
  auto* tile = dynamic_shared<Chunk<T>>();
  const int n = static_cast<int>(args.channels), step = Group::threads() * W;
  const C share = C(1) / static_cast<C>(n);
  for (int64_t row = Group::index(); row < args.rows; row += Group::count()) {
    const T* x = static_cast<const T*>(args.x) + row * n;
    const T* dy = static_cast<const T*>(args.dy) + row * n;
    const int first = Group::rank() * W - phase_of(x);
    for (int k = 0; k < slots; ++k) {
      copy_chunk(slot(tile, 2 * k), x, first + k * step, n, from_compute<T>(0));
      copy_chunk(slot(tile, 2 * k + 1), dy, first + k * step, n, from_compute<T>(0));
    }
    copy_commit();
    copy_wait<0>();
    const auto of = saved_statistics<C>(args, row);
    Sums<C, 2> sums{};
    for (int k = 0; k < slots; ++k)
      add_gradient_terms(args, slot(tile, 2 * k), slot(tile, 2 * k + 1), first + k * step, n,
                         of.mean, sums);
    sums = Group::combine(sums, Add{});
    for (int k = 0; k < slots; ++k)
      store_chunk(static_cast<T*>(args.dx) + row * n, first + k * step, n,
                  input_gradient(args, slot(tile, 2 * k), slot(tile, 2 * k + 1), first + k * step,
                                 n, of, sums, share));
  }
}

template <class T>
SharedRowPlan plan_of(const void* x, int64_t n, int arrays) {
  return plan_shared_row(chunks_of_row<T>(x, n), arrays);
}
template <class F>
void with_group(const SharedRowPlan& plan, F&& f) {
  if (plan.cluster > 1)
    f(Type<ClusterGroup<shared_row_threads>>{});
  else
    f(Type<BlockGroup<shared_row_threads>>{});
}

}  // namespace

bool row_norm_fits_cluster(const RowNormArgs& args) {
  return visit_float(args.dtype, [&]<class T>(Type<T>) {
    return plan_of<T>(args.x, args.channels, 1).cluster > 0;
  });
}
bool row_norm_gradient_fits_cluster(const RowNormGradientArgs& args) {
  return visit_float(args.dtype, [&]<class T>(Type<T>) {
    return plan_of<T>(args.x, args.channels, 2).cluster > 0;
  });
}
void row_norm_cluster(const RowNormArgs& args) {
  visit_float(args.dtype, [&]<class T>(Type<T>) {
    const SharedRowPlan plan = plan_of<T>(args.x, args.channels, 1);
    with_group(plan, [&]<class Group>(Type<Group>) {
      launch<row_norm_cluster_kernel<T, Group>>(shared_row_launch(plan, args.rows), args,
                                                plan.slots);
    });
  });
}
void row_norm_gradient_cluster(const RowNormGradientArgs& args) {
  if (args.dx && args.rows > 0) {
    visit_float(args.dtype, [&]<class T>(Type<T>) {
      const SharedRowPlan plan = plan_of<T>(args.x, args.channels, 2);
      with_group(plan, [&]<class Group>(Type<Group>) {
        launch<row_norm_gradient_cluster_kernel<T, Group>>(shared_row_launch(plan, args.rows), args,
                                                           plan.slots);
      });
    });
  }
  row_norm_parameter_gradient(args);
}

}  // namespace strata::gpu
