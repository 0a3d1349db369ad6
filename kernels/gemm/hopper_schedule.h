// In which order the tiles of C are computed, by persistent kernels (13_persistent and later).
//
// Blocks that run at the same time should share rows of A and columns of B, which then come from
// L2. With 132 blocks at work, row after row of tiles would touch one row of A and 132 columns of
// B; groups of 8 rows of tiles, walked column by column, touch 8 rows and 17 columns: fewer bytes
// for the same products.
#pragma once

#include <algorithm>

#include "kernels/gemm/hopper_launch.h"

namespace strata::gpu {

struct TilePlace {
  int m, n, batch;  // in tiles
};

struct TileOrder {
  int tiles_m = 0, tiles_n = 0, batches = 0;
  int group = 8;  // rows of tiles

  __host__ __device__ int total() const { return tiles_m * tiles_n * batches; }
  DEVICE TilePlace at(int index) const {
    const int plane = tiles_m * tiles_n, batch = index / plane;
    const int of_group = group * tiles_n, in_plane = index % plane;
    const int first = in_plane / of_group * group, in_group = in_plane % of_group;
    const int rows = tiles_m - first < group ? tiles_m - first : group;
    return {first + in_group % rows, in_group / rows, batch};
  }
};

inline TileOrder tile_order(const HopperProduct& product, int tile_m, int tile_n) {
  return {static_cast<int>(divide_up(product.arguments.M, tile_m)),
          static_cast<int>(divide_up(product.arguments.N, tile_n)), product.batches};
}
// One block a multiprocessor, if there are as many tiles.
inline unsigned persistent_blocks(int tiles) {
  return static_cast<unsigned>(std::min(tiles, device().multiprocessors));
}

}  // namespace strata::gpu
