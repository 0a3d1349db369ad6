// Clusters of two blocks, whose copy engines bring a shared operand once for both.
//
// Against 13_persistent: the two blocks of a cluster compute neighbouring tiles of the same columns
// of C, so both need the same tile of B. Each brings half of it, into the shared memory of both
// (multicast). L2 is read for 128 + 128 rows a step instead of 128 + 256: 128 operations a byte
// instead of 85.
//
// The price is a bond: a block may not fill a stage before the consumers of both have freed it,
// because its half of B lands in both. So `empty` counts four arrivals, two of them from the other
// block, and nobody leaves before the other is done, whose bytes and arrivals still come.
//
// Registers (ptxas, sm_90a): 168 by launch bounds, 40 and 232 after setmaxnreg, no spills.
// Shared memory: 193 KiB. H200, bf16: 620 TFLOP/s at 4096³ (0.94 of cuBLAS), 660 at 8192³.
#include "kernels/gemm/hopper.h"
#include "kernels/gemm/hopper_cluster.h"
#include "kernels/gemm/hopper_epilogue.h"
#include "kernels/gemm/hopper_launch.h"
#include "kernels/gemm/hopper_schedule.h"

namespace strata::gpu {
namespace {

constexpr int tile_m = 128, tile_n = 256, stages = 4, consumers = 2;
constexpr int block_threads = (1 + consumers) * warpgroup_threads;

template <class T, Major OrderA, Major OrderB>
using RingOf = StageRing<OperandTile<T, tile_m, OrderA>,
                         OperandTile<T, tile_n, OrderB, tile_n / cluster_blocks>, stages>;

template <class T, Major OrderA, Major OrderB>
__global__ void __launch_bounds__(block_threads, 1)
    cluster_kernel(const __grid_constant__ TensorMap map_a, const __grid_constant__ TensorMap map_b,
                   const __grid_constant__ Product<T> product,
                   const __grid_constant__ TileOrder order) {
  using Ring = RingOf<T, OrderA, OrderB>;
  Ring& ring = *dynamic_shared<Ring>();
  const int steps = k_steps<Ring>(product.K);
  const ClusterTiles tiles(order);

  if (threadIdx.x == 0) initialise(ring, consumers * cluster_blocks);
  cluster_sync();  // nothing comes from the other block before the barriers are there

  Place<stages> place;
  if (warpgroup() == 0) {
    registers_decrease<40>();
    if (threadIdx.x == 0) {
      for (int i = tiles.first; i < tiles.total; i += tiles.step) {
        const TilePlace tile = tiles.at(i);
        fill_shared_b(ring, place, &map_a, &map_b, tile.m * tile_m, tile.n * tile_n,
                      batch_of_a(product, tile.batch), batch_of_b(product, tile.batch), steps);
      }
    }
  } else {
    registers_increase<232>();
    const int rows = 64 * (warpgroup() - 1);
    float d[1][tile_n / 2];
    for (int i = tiles.first; i < tiles.total; i += tiles.step) {
      const TilePlace tile = tiles.at(i);
      multiply(d, ring, place, rows, steps, [&](int stage) { release_to_cluster(ring, stage); });
      store_rows(product, d, tile.m * tile_m + rows, tile.n * tile_n, tile.batch);
    }
  }
  __syncwarp();  // the producer's thread joins its warp again
  cluster_sync();
}

struct Cluster {
  template <class T, Major OrderA, Major OrderB>
  static void launch(const HopperProduct& product) {
    using Ring = RingOf<T, OrderA, OrderB>;
    const TileOrder order = tile_order(product, cluster_blocks * tile_m, tile_n);
    gpu::launch<cluster_kernel<T, OrderA, OrderB>>({.grid = cluster_grid(order.total()),
                                                    .block = block_threads,
                                                    .shared = sizeof(Ring),
                                                    .cluster = cluster_blocks},
                                                   product.a.map<typename Ring::A>(),
                                                   product.b.map<typename Ring::B>(),
                                                   make_product<T>(product.arguments), order);
  }
};

}  // namespace

namespace gemm_ladder {
const GemmRung cluster{"15_cluster", "two blocks share the columns of B by multicast",
                       supports_16_bit, run_16_bit<Cluster>};
}

}  // namespace strata::gpu
