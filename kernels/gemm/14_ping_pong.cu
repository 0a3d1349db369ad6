// Two consumer warpgroups that take turns: one stores its tile while the other multiplies.
//
// Against 13_persistent: there both warpgroups store at the same time, and the tensor cores rest.
// Here each has a tile of its own, 128 x 128, and they alternate: tiles 0, 2, 4 ... of the block's
// list belong to the first, 1, 3, 5 ... to the second. The ring is filled in the order of the list.
// A warpgroup may begin to multiply when the other has finished doing so (named barriers 1 and 2),
// and passes over the stages that the other consumed. The turn is more than a courtesy: an mbarrier
// only tells odd rounds from even ones, so whoever waits two rounds ahead is let through too early.
//
// Best when the epilogue is long against K. The smaller tile costs: 64 operations a byte from L2.
// 5 stages of 32 KiB. Registers (ptxas, sm_90a): 168 by launch bounds, 40 and 232 after
// setmaxnreg, no spills. Shared memory: 161 KiB. H200, bf16: 589 TFLOP/s at 4096³ (0.89 of cuBLAS),
// 636 at 8192³.
#include "kernels/gemm/hopper.h"
#include "kernels/gemm/hopper_epilogue.h"
#include "kernels/gemm/hopper_launch.h"
#include "kernels/gemm/hopper_pipeline.h"
#include "kernels/gemm/hopper_schedule.h"

namespace strata::gpu {
namespace {

constexpr int tile_m = 128, tile_n = 128, stages = 5, consumers = 2;
constexpr int block_threads = (1 + consumers) * warpgroup_threads;

template <class T, Major OrderA, Major OrderB>
using RingOf = StageRing<OperandTile<T, tile_m, OrderA>, OperandTile<T, tile_n, OrderB>, stages>;

// Barrier 1 + i completes when it is consumer i's turn: its 128 threads wait, the other's arrive.
DEVICE void await_turn(int consumer) { barrier_sync(1 + consumer, 2 * warpgroup_threads); }
DEVICE void give_turn(int consumer) { barrier_arrive(1 + consumer, 2 * warpgroup_threads); }

template <class T, Major OrderA, Major OrderB>
__global__ void __launch_bounds__(block_threads, 1)
    ping_pong_kernel(const __grid_constant__ TensorMap map_a,
                     const __grid_constant__ TensorMap map_b,
                     const __grid_constant__ Product<T> product,
                     const __grid_constant__ TileOrder order) {
  using Ring = RingOf<T, OrderA, OrderB>;
  Ring& ring = *dynamic_shared<Ring>();
  const int steps = k_steps<Ring>(product.K);
  const int first = static_cast<int>(blockIdx.x), blocks = static_cast<int>(gridDim.x);

  if (threadIdx.x == 0) initialise(ring, 1);
  __syncthreads();

  Place<stages> place;
  if (warpgroup() == 0) {
    registers_decrease<40>();
    if (threadIdx.x != 0) return;
    for (int i = first; i < order.total(); i += blocks) {
      const TilePlace tile = order.at(i);
      fill(ring, place, &map_a, &map_b, tile.m * tile_m, tile.n * tile_n,
           batch_of_a(product, tile.batch), batch_of_b(product, tile.batch), steps);
    }
  } else {
    registers_increase<232>();
    const int me = warpgroup() - 1, other = 1 - me;
    float d[tile_m / 64][tile_n / 2];
    if (me == 1) {
      give_turn(other);  // the first turn
      place.advance(steps);
    }
    for (int i = first + me * blocks; i < order.total(); i += consumers * blocks) {
      const TilePlace tile = order.at(i);
      await_turn(me);
      multiply(d, ring, place, 0, steps, [&](int stage) {
        if (thread_of_warpgroup() == 0) mbarrier_arrive(&ring.empty[stage]);
      });
      if (i + blocks < order.total()) give_turn(other);
      store_rows(product, d, tile.m * tile_m, tile.n * tile_n, tile.batch);
      place.advance(steps);
    }
  }
}

struct PingPong {
  template <class T, Major OrderA, Major OrderB>
  static void launch(const HopperProduct& product) {
    using Ring = RingOf<T, OrderA, OrderB>;
    const TileOrder order = tile_order(product, tile_m, tile_n);
    gpu::launch<ping_pong_kernel<T, OrderA, OrderB>>(
        {.grid = persistent_blocks(order.total()), .block = block_threads, .shared = sizeof(Ring)},
        product.a.map<typename Ring::A>(), product.b.map<typename Ring::B>(),
        make_product<T>(product.arguments), order);
  }
};

}  // namespace

namespace gemm_ladder {
const GemmRung ping_pong{"14_ping_pong", "one warpgroup stores its tile while the other multiplies",
                         supports_16_bit, run_16_bit<PingPong>};
}

}  // namespace strata::gpu
