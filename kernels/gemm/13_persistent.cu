// As many blocks as multiprocessors, each with a list of tiles.
//
// Against 12_two_consumers: a block does not end with its tile but goes on with the next
// (hopper_schedule.h says in which order). The producer is not bound to the consumers' tile: while
// they store theirs, it already fills the ring for the next, so the pipeline does not drain between
// tiles, and barriers are set up once. The order of tiles is ours to choose, for L2: 8 rows of
// tiles are walked together. This is the cooperative schedule: both warpgroups work on one tile.
//
// Tile of C: 128 x 256; 4 stages; 85 operations a byte from L2. Registers (ptxas, sm_90a): 168
// by launch bounds, 40 and 232 after setmaxnreg, no spills. Shared memory: 193 KiB.
// H200, bf16: 587 TFLOP/s at 4096³ (0.89 of cuBLAS), 655 at 8192³.
#include "kernels/gemm/hopper.h"
#include "kernels/gemm/hopper_epilogue.h"
#include "kernels/gemm/hopper_launch.h"
#include "kernels/gemm/hopper_pipeline.h"
#include "kernels/gemm/hopper_schedule.h"

namespace strata::gpu {
namespace {

constexpr int tile_m = 128, tile_n = 256, stages = 4, consumers = 2;
constexpr int block_threads = (1 + consumers) * warpgroup_threads;

template <class T, Major OrderA, Major OrderB>
using RingOf = StageRing<OperandTile<T, tile_m, OrderA>, OperandTile<T, tile_n, OrderB>, stages>;

template <class T, Major OrderA, Major OrderB>
__global__ void __launch_bounds__(block_threads, 1)
    persistent_kernel(const __grid_constant__ TensorMap map_a,
                      const __grid_constant__ TensorMap map_b,
                      const __grid_constant__ Product<T> product,
                      const __grid_constant__ TileOrder order) {
  using Ring = RingOf<T, OrderA, OrderB>;
  Ring& ring = *dynamic_shared<Ring>();
  const int steps = k_steps<Ring>(product.K);

  if (threadIdx.x == 0) initialise(ring, consumers);
  __syncthreads();

  Place<stages> place;
  if (warpgroup() == 0) {
    registers_decrease<40>();
    if (threadIdx.x != 0) return;
    for (int i = static_cast<int>(blockIdx.x); i < order.total();
         i += static_cast<int>(gridDim.x)) {
      const TilePlace tile = order.at(i);
      fill(ring, place, &map_a, &map_b, tile.m * tile_m, tile.n * tile_n,
           batch_of_a(product, tile.batch), batch_of_b(product, tile.batch), steps);
    }
  } else {
    registers_increase<232>();
    const int rows = 64 * (warpgroup() - 1);
    float d[1][tile_n / 2];
    for (int i = static_cast<int>(blockIdx.x); i < order.total();
         i += static_cast<int>(gridDim.x)) {
      const TilePlace tile = order.at(i);
      multiply(d, ring, place, rows, steps, [&](int stage) {
        if (thread_of_warpgroup() == 0) mbarrier_arrive(&ring.empty[stage]);
      });
      store_rows(product, d, tile.m * tile_m + rows, tile.n * tile_n, tile.batch);
    }
  }
}

struct Persistent {
  template <class T, Major OrderA, Major OrderB>
  static void launch(const HopperProduct& product) {
    using Ring = RingOf<T, OrderA, OrderB>;
    const TileOrder order = tile_order(product, tile_m, tile_n);
    gpu::launch<persistent_kernel<T, OrderA, OrderB>>(
        {.grid = persistent_blocks(order.total()), .block = block_threads, .shared = sizeof(Ring)},
        product.a.map<typename Ring::A>(), product.b.map<typename Ring::B>(),
        make_product<T>(product.arguments), order);
  }
};

}  // namespace

namespace gemm_ladder {
const GemmRung persistent{"13_persistent",
                          "as many blocks as multiprocessors, each with many tiles",
                          supports_16_bit, run_16_bit<Persistent>};
}

}  // namespace strata::gpu
