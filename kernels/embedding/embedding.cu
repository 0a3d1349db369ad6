// The launcher: which rung runs.
#include "kernels/embedding/rung.h"

namespace strata::gpu {

void repulsion(const RepulsionArgs& args) { repulsion_tiles(args); }  // any N

}  // namespace strata::gpu
