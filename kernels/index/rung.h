// The rungs of gather and scatter, for the launcher and for whoever wants to see one alone.
#pragma once

#include "kernels/index/index.h"

namespace strata::gpu::index {

// `add`: add to the target, else write.
void gather(const cpu::IndexArgs& args);                    // 01_gather.cu
void scatter_lines(const cpu::IndexArgs& args, bool add);   // 02_scatter_lines.cu
void scatter_sorted(const cpu::IndexArgs& args, bool add);  // 03_scatter_sorted.cu

}  // namespace strata::gpu::index
