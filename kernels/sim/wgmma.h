// wgmma in the simulator: see wgmma.cpp.
#pragma once

#include <cstdint>

#include "kernels/sim/mma.h"
#include "kernels/sim/site.h"

namespace strata::sim {

struct WgmmaShape {
  int n;
  MatrixType type;
  bool a_mn_major, b_mn_major;
  bool accumulate;
  bool operator==(const WgmmaShape&) const = default;
};

// Where a tile begins in shared memory: a multiple of 16.
uint32_t wgmma_tile_address(const void* tile, Site site);
// a_registers: four registers of A, or null: A lies in shared memory, at descriptor a.
void wgmma(const WgmmaShape& shape, float* d, uint64_t a, const uint32_t* a_registers, uint64_t b,
           Site site);
void wgmma_fence(Site site);
void wgmma_commit(Site site);
void wgmma_wait(int groups, Site site);
void set_registers(Site site);

}  // namespace strata::sim
