// C leaves through shared memory, by the copy engine, while the next tile is multiplied.
//
// Against 15_cluster, where every thread stores pairs of elements to 8 rows at a time and waits for
// the stores to be taken: the finished sums go to shared memory by stmatrix, 16 rows of 16 bytes a
// time, in the 128-byte swizzle, so that no two rows of a matrix meet in a bank. One thread then
// starts the copy to C; whole lines leave instead of half sectors, edges are clipped by the engine,
// and nobody waits before the next tile wants the same shared memory.
//
// C leaves in boxes of 64 columns, two of them in shared memory a warpgroup: 32 KiB, which leaves
// room for the four stages of the ring (six for tiles of 128 columns). Only for C whose rows are
// multiples of 16 bytes. Registers (ptxas, sm_90a): 168 by launch bounds, 40 and 232 after
// setmaxnreg, no spills. Shared memory: 225 KiB. H200, bf16: 669 TFLOP/s at 4096³ (1.02 of cuBLAS),
// 695 at 8192³ (1.01).
#include "kernels/gemm/hopper_cost.h"
#include "kernels/gemm/hopper_tma_store.h"

namespace strata::gpu {
namespace {

struct TmaStore {
  template <class T, Major OrderA, Major OrderB>
  static void launch(const HopperProduct& product) {
    // Half as wide where that leaves fewer multiprocessors idle in the last wave.
    if (hopper_cheapest(product.arguments, 2, false).columns == 256)
      launch_tma_store<TmaStoreShape<T, T, 128, 256, 4, OrderA, OrderB>>(product);
    else
      launch_tma_store<TmaStoreShape<T, T, 128, 128, 6, OrderA, OrderB>>(product);
  }
};
bool supports(const GemmArguments& arguments) {
  return supports_16_bit(arguments) && tma_stores(arguments);
}

}  // namespace

namespace gemm_ladder {
const GemmRung tma_store{"16_tma_store", "C through shared memory, behind the next tile", supports,
                         run_16_bit<TmaStore>};
}

}  // namespace strata::gpu
