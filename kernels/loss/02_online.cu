// Rung 2: against rung 1, loss and gradient in one kernel: no saved maximum and log sum, and a
// block's second read of its row finds in L2 what its first read left there.
//
// Device memory: 2 reads (the second from L2 while all resident rows fit there) and 1 write. Takes
// rows of any length: the launcher's last resort.
// H200, bf16, 50304 classes: 0.37 of a copy.
#include "kernels/loss/row_loss.h"
#include "kernels/loss/rung.h"

namespace strata::gpu {
namespace {

using Group = BlockGroup<256>;

template <class T>
__global__ void __launch_bounds__(256, 1)
    cross_entropy_online_kernel(CrossEntropyInPlaceArgs args) {
  constexpr int step = 256 * vector_width<T>;
  const int n = static_cast<int>(args.classes);
  for (int64_t row = Group::index(); row < args.rows; row += Group::count()) {
    T* x = static_cast<T*>(args.logits) + row * n;
    const int first = Group::rank() * vector_width<T> - phase_of(x);
    fused_row<T, Group, 2>(
        args, row, first, step, first < n ? (n - first + step - 1) / step : 0,
        [&](int, int at) { return load_chunk(x, at, n, minus_infinity<T>()); },
        [&](int, int at, const Chunk<T>& dx) { store_chunk(x, at, n, dx); });
  }
}

}  // namespace

void cross_entropy_online(const CrossEntropyInPlaceArgs& args) {
  visit_float(args.dtype, [&]<class T>(Type<T>) {
    launch<cross_entropy_online_kernel<T>>({.grid = row_blocks(args.rows, 1, 256), .block = 256},
                                           args);
  });
}

}  // namespace strata::gpu
