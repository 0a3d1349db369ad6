// What a product costs on a Hopper device, for the choice between tiles and between whole and cut
// K. The constants are microseconds, measured on an H200 that draws all its 700 W (where the clock
// falls to 1.4 to 1.6 GHz); only their ratios matter.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/gemm/gemm.h"
#include "kernels/gpu/runtime.h"

namespace strata::gpu {

struct HopperTiling {
  int columns = 256;  // of a tile; rows are 128, and a cluster has two tiles, one below the other
  int parts = 1;      // of K
  double cost = 0;
};

// Steps of K are 128 bytes.
inline HopperTiling hopper_tiling(const GemmArguments& g, int columns, int parts,
                                  int64_t element_bytes) {
  auto divided = [](int64_t size, int64_t tile) { return (size + tile - 1) / tile; };
  const int64_t blocks =
      2 * divided(g.M, 256) * divided(g.N, columns) * batch_count(g) * int64_t{parts};
  const auto waves = static_cast<double>(divided(blocks, device().multiprocessors));
  const auto steps = static_cast<double>(divided(g.K * element_bytes, 128) / parts);
  const double step = columns == 256 ? 0.62 : 0.36;  // half a tile costs more than half
  const double tile = columns == 256 ? 1.6 : 1.0;    // filling the ring and storing C
  HopperTiling tiling{columns, parts, waves * (steps * step + tile) + 2};
  if (parts > 1) {
    // Sums of f32 are written by each part and read again by a second kernel.
    const double bytes = 8.0 * parts * static_cast<double>(g.M * g.N * batch_count(g));
    tiling.cost += 3 + bytes / 3.5e6 + waves * tile;
  }
  return tiling;
}

// The cheapest: tiles of 128 or 256 columns, K whole or, with `may_cut`, in parts of whole steps.
inline HopperTiling hopper_cheapest(const GemmArguments& g, int64_t element_bytes, bool may_cut) {
  HopperTiling best = hopper_tiling(g, 256, 1, element_bytes);
  auto consider = [&](const HopperTiling& other) {
    if (other.cost < best.cost) best = other;
  };
  consider(hopper_tiling(g, 128, 1, element_bytes));
  const int64_t step = 128 / element_bytes;
  for (int parts : {2, 3, 4, 6, 8, 12, 16})
    if (may_cut && g.K % (step * parts) == 0 && g.K / parts >= 4 * step)
      consider(hopper_tiling(g, 256, parts, element_bytes));
  return best;
}

}  // namespace strata::gpu
