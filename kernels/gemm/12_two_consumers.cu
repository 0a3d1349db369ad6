// Two consumer warpgroups on one tile of 128 x 256.
//
// Against 11_warp_specialised: each consumer multiplies 64 rows, and both read the same tile of B,
// so 48 KiB a step of K now feed twice the operations: 85 operations a byte from L2 instead of 64,
// and the widest wgmma (n256), which reads the fewest bytes of shared memory for its operations.
// While one warpgroup waits at a barrier, the other keeps the tensor cores busy. One thread of each
// warpgroup frees a stage, instead of all 128, counting on wgmma_wait to be a wait of all of it
// (hopper_pipeline.h). One group of products stays in flight while the next stage is awaited.
//
// Tile of C: 128 x 256; three warpgroups; 4 stages. Registers (ptxas, sm_90a): 168 by launch
// bounds, 40 and 232 after setmaxnreg, no spills. Shared memory: 193 KiB, so one block a
// multiprocessor. H200, 4096³ bf16: 619 TFLOP/s, 0.94 of cuBLAS.
#include "kernels/gemm/hopper.h"
#include "kernels/gemm/hopper_epilogue.h"
#include "kernels/gemm/hopper_launch.h"
#include "kernels/gemm/hopper_pipeline.h"

namespace strata::gpu {
namespace {

constexpr int tile_m = 128, tile_n = 256, stages = 4, consumers = 2;
constexpr int block_threads = (1 + consumers) * warpgroup_threads;

template <class T, Major OrderA, Major OrderB>
using RingOf = StageRing<OperandTile<T, tile_m, OrderA>, OperandTile<T, tile_n, OrderB>, stages>;

template <class T, Major OrderA, Major OrderB>
__global__ void __launch_bounds__(block_threads, 1)
    two_consumers_kernel(const __grid_constant__ TensorMap map_a,
                         const __grid_constant__ TensorMap map_b,
                         const __grid_constant__ Product<T> product) {
  using Ring = RingOf<T, OrderA, OrderB>;
  Ring& ring = *dynamic_shared<Ring>();
  const int row = static_cast<int>(blockIdx.x) * tile_m,
            column = static_cast<int>(blockIdx.y) * tile_n, batch = static_cast<int>(blockIdx.z);
  const int steps = k_steps<Ring>(product.K);

  if (threadIdx.x == 0) initialise(ring, consumers);
  __syncthreads();

  Place<stages> place;
  if (warpgroup() == 0) {
    registers_decrease<40>();
    if (threadIdx.x == 0)
      fill(ring, place, &map_a, &map_b, row, column, batch_of_a(product, batch),
           batch_of_b(product, batch), steps);
  } else {
    registers_increase<232>();
    const int rows = 64 * (warpgroup() - 1);  // of the tile, before this warpgroup's
    float d[1][tile_n / 2];
    multiply(d, ring, place, rows, steps, [&](int stage) {
      if (thread_of_warpgroup() == 0) mbarrier_arrive(&ring.empty[stage]);
    });
    store_rows(product, d, row + rows, column, batch);
  }
}

struct TwoConsumers {
  template <class T, Major OrderA, Major OrderB>
  static void launch(const HopperProduct& product) {
    using Ring = RingOf<T, OrderA, OrderB>;
    const GemmArguments& g = product.arguments;
    gpu::launch<two_consumers_kernel<T, OrderA, OrderB>>(
        {.grid = dim3(divide_up(g.M, tile_m), divide_up(g.N, tile_n),
                      static_cast<unsigned>(product.batches)),
         .block = block_threads,
         .shared = sizeof(Ring)},
        product.a.map<typename Ring::A>(), product.b.map<typename Ring::B>(), make_product<T>(g));
  }
};

}  // namespace

namespace gemm_ladder {
const GemmRung two_consumers{"12_two_consumers", "two warpgroups multiply one tile of 128 x 256",
                             supports_16_bit, run_16_bit<TwoConsumers>};
}

}  // namespace strata::gpu
