// What two blocks of a cluster that share the tile of B do differently: see 15_cluster.cu.
// TileOrder then counts pairs of tiles, one below the other.
#pragma once

#include "kernels/gemm/hopper_pipeline.h"
#include "kernels/gemm/hopper_schedule.h"

namespace strata::gpu {

constexpr int cluster_blocks = 2;

// The tiles of this block: those of its cluster's pairs that its rank picks. When there is an odd
// number of rows of tiles, the last tile may lie below C: zeros are loaded, nothing is stored.
struct ClusterTiles {
  TileOrder order;
  int rank, first, step, total;

  DEVICE explicit ClusterTiles(const TileOrder& order)
      : order(order),
        rank(static_cast<int>(cluster_rank())),
        first(static_cast<int>(blockIdx.x) / cluster_blocks),
        step(static_cast<int>(gridDim.x) / cluster_blocks),
        total(order.total()) {}
  DEVICE TilePlace at(int index) const {
    TilePlace tile = order.at(index);
    tile.m = tile.m * cluster_blocks + rank;
    return tile;
  }
};

// Blocks for `pairs` pairs of tiles: whole clusters. Not every multiprocessor has a neighbour that
// is free, so an odd number of them leaves one idle.
inline unsigned cluster_grid(int pairs) {
  const int clusters = std::max(1, std::min(pairs, device().multiprocessors / cluster_blocks));
  return static_cast<unsigned>(clusters * cluster_blocks);
}

// As fill(); of B this block brings its share, into all blocks.
template <class Ring>
DEVICE void fill_shared_b(Ring& ring, Place<Ring::stages>& place, const TensorMap* a,
                          const TensorMap* b, int row, int column, int batch_a, int batch_b,
                          int steps SIM_SITE) {
  const unsigned rank = cluster_rank();
  for (int step = 0; step < steps; ++step, place.advance()) {
    uint64_t* full = &ring.full[place.stage];
    mbarrier_wait(&ring.empty[place.stage], place.parity ^ 1 SIM_PASS);
    // Bytes of the other block may come before this: the phase cannot end without this arrival.
    mbarrier_expect(full, Ring::A::bytes + Ring::B::bytes SIM_PASS);
    const int k = step * Ring::A::depth;
    Ring::A::load(ring.a[place.stage], a, row, k, batch_a, full SIM_PASS);
    Ring::B::load_share(ring.b[place.stage], b, column, k, batch_b, full, rank,
                        cluster_blocks SIM_PASS);
  }
}

// One thread of the warpgroup tells each block that it has read the stage.
template <class Ring>
DEVICE void release_to_cluster(Ring& ring, int stage SIM_SITE) {
  if (thread_of_warpgroup() < cluster_blocks)
    mbarrier_arrive_remote(&ring.empty[stage],
                           static_cast<unsigned>(thread_of_warpgroup()) SIM_PASS);
}

}  // namespace strata::gpu
