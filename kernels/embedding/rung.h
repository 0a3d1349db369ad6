// The rungs of the repulsion, for the launcher and for tests that climb them all.
#pragma once

#include "kernels/embedding/embedding.h"

namespace strata::gpu {

struct RepulsionRung {
  const char* name;
  void (*run)(const RepulsionArgs& args);
};

void repulsion_global(const RepulsionArgs& args);  // 01_global.cu
void repulsion_tiles(const RepulsionArgs& args);   // 02_tiles.cu

inline constexpr RepulsionRung repulsion_rungs[] = {{"01_global", repulsion_global},
                                                    {"02_tiles", repulsion_tiles}};

}  // namespace strata::gpu
