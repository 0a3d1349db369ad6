// A warpgroup that only copies, and one that only multiplies.
//
// Against 10_tma_wgmma: a ring of three stages lies between the engines (hopper_pipeline.h), so
// tiles for the next steps come while this one is multiplied. The producer is one thread; it and
// the consumers meet at mbarriers only, never at __syncthreads. The hardware gives registers to
// whole warpgroups alike, 128 a thread here; setmaxnreg hands what the producer does not need to
// the consumers, which hold 128 sums each. Two blocks fit a multiprocessor: while one stores its
// tile, the other multiplies.
//
// Tile of C: 128 x 128; 64 operations a byte from L2, as before. Registers (ptxas, sm_90a): 128
// by launch bounds, 40 and 216 after setmaxnreg, no spills. Shared memory: 97 KiB.
// H200, 4096³ bf16: 550 TFLOP/s, 0.83 of cuBLAS.
#include "kernels/gemm/hopper.h"
#include "kernels/gemm/hopper_epilogue.h"
#include "kernels/gemm/hopper_launch.h"
#include "kernels/gemm/hopper_pipeline.h"

namespace strata::gpu {
namespace {

constexpr int tile_m = 128, tile_n = 128, stages = 3;
constexpr int block_threads = 2 * warpgroup_threads;

template <class T, Major OrderA, Major OrderB>
using RingOf = StageRing<OperandTile<T, tile_m, OrderA>, OperandTile<T, tile_n, OrderB>, stages>;

template <class T, Major OrderA, Major OrderB>
__global__ void __launch_bounds__(block_threads, 2)
    warp_specialised_kernel(const __grid_constant__ TensorMap map_a,
                            const __grid_constant__ TensorMap map_b,
                            const __grid_constant__ Product<T> product) {
  using Ring = RingOf<T, OrderA, OrderB>;
  Ring& ring = *dynamic_shared<Ring>();
  const int row = static_cast<int>(blockIdx.x) * tile_m,
            column = static_cast<int>(blockIdx.y) * tile_n, batch = static_cast<int>(blockIdx.z);
  const int steps = k_steps<Ring>(product.K);

  // A stage is free when all 128 consumers say so.
  if (threadIdx.x == 0) initialise(ring, warpgroup_threads);
  __syncthreads();

  Place<stages> place;
  if (warpgroup() == 0) {
    registers_decrease<40>();
    if (threadIdx.x != 0) return;
    for (int step = 0; step < steps; ++step, place.advance()) {
      uint64_t* full = &ring.full[place.stage];
      mbarrier_wait(&ring.empty[place.stage], place.parity ^ 1);
      mbarrier_expect(full, Ring::A::bytes + Ring::B::bytes);
      const int k = step * Ring::A::depth;
      Ring::A::load(ring.a[place.stage], &map_a, row, k, batch_of_a(product, batch), full);
      Ring::B::load(ring.b[place.stage], &map_b, column, k, batch_of_b(product, batch), full);
    }
  } else {
    registers_increase<216>();
    float d[tile_m / 64][tile_n / 2];
    for (int step = 0; step < steps; ++step, place.advance()) {
      mbarrier_wait(&ring.full[place.stage], place.parity);
      multiply_stage<typename Ring::A, typename Ring::B>(d, ring.a[place.stage], 0,
                                                         ring.b[place.stage], step > 0);
      wgmma_wait<0>();
      mbarrier_arrive(&ring.empty[place.stage]);
    }
    store_rows(product, d, row, column, batch);
  }
}

struct WarpSpecialised {
  template <class T, Major OrderA, Major OrderB>
  static void launch(const HopperProduct& product) {
    using Ring = RingOf<T, OrderA, OrderB>;
    const GemmArguments& g = product.arguments;
    gpu::launch<warp_specialised_kernel<T, OrderA, OrderB>>(
        {.grid = dim3(divide_up(g.M, tile_m), divide_up(g.N, tile_n),
                      static_cast<unsigned>(product.batches)),
         .block = block_threads,
         .shared = sizeof(Ring)},
        product.a.map<typename Ring::A>(), product.b.map<typename Ring::B>(), make_product<T>(g));
  }
};

}  // namespace

namespace gemm_ladder {
const GemmRung warp_specialised{"11_warp_specialised",
                                "one warpgroup copies, one multiplies, a ring of stages between",
                                supports_16_bit, run_16_bit<WarpSpecialised>};
}

}  // namespace strata::gpu
