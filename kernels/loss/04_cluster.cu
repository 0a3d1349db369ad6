// Rung 4: against rung 3, the rows of a language model's vocabulary (50257 bf16 logits: 98 KiB)
// stay in shared memory, of one block or of a cluster whose blocks combine through distributed
// shared memory (sm_90).
//
// Device memory: 1 read and 1 write, the least, for rows of up to 8 x 223 KiB (900 thousand classes
// of 16 bits); on sm_80 up to 159 KiB.
// H200, bf16, 50257 classes: 3.1 TB/s, 0.72 of a copy; 50304: 0.75.
#include "kernels/loss/row_loss.h"
#include "kernels/loss/rung.h"
#include "kernels/reduce/shared_row.h"

namespace strata::gpu {
namespace {

template <bool Whole, class T, class Group>
__global__ void __launch_bounds__(shared_row_threads, 1)
    cross_entropy_cluster_kernel(CrossEntropyInPlaceArgs args, int slots) {
  auto* tile = dynamic_shared<Chunk<T>>();
  const int n = static_cast<int>(args.classes), step = Group::threads() * vector_width<T>;
  for (int64_t row = Group::index(); row < args.rows; row += Group::count()) {
    T* x = static_cast<T*>(args.logits) + row * n;
    const int first = Group::rank() * vector_width<T> - (Whole ? 0 : phase_of(x));
    for (int k = 0; k < slots; ++k)
      copy_chunk<Whole>(slot(tile, k), x, first + k * step, n, minus_infinity<T>());
    copy_commit();
    copy_wait<0>();
    fused_row<T, Group, 2>(
        args, row, first, step, slots, [&](int k, int) { return slot(tile, k); },
        [&](int, int at, const Chunk<T>& dx) { store_chunk<Whole>(x, at, n, dx); });
  }
}

template <class T>
SharedRowPlan plan_of(const CrossEntropyInPlaceArgs& args) {
  return plan_shared_row(chunks_of_row<T>(args.logits, args.classes));
}

}  // namespace

bool cross_entropy_fits_cluster(const CrossEntropyInPlaceArgs& args) {
  return visit_float(args.dtype, [&]<class T>(Type<T>) { return plan_of<T>(args).cluster > 0; });
}
void cross_entropy_cluster(const CrossEntropyInPlaceArgs& args) {
  visit_float(args.dtype, [&]<class T>(Type<T>) {
    const SharedRowPlan plan = plan_of<T>(args);
    const LaunchConfig config = shared_row_launch(plan, args.rows);
    const bool whole = whole_chunks(static_cast<const T*>(args.logits), args.classes);
    with_shared_row(plan, whole, [&]<bool Whole, class Group>() {
      launch<cross_entropy_cluster_kernel<Whole, T, Group>>(config, args, plan.slots);
    });
  });
}

}  // namespace strata::gpu
