// What a launcher asks about a product before it goes to the device.
#pragma once

#include "kernels/gemm/gemm.h"
#include "kernels/gpu/runtime.h"

namespace strata::gpu {

// Throws gpu::Error for sizes that no kernel can index and for epilogues that mean nothing.
void check_product(const GemmArguments& arguments);

// Blocks for all tiles of all matrices; throws gpu::Error when a grid cannot have as many.
unsigned tile_count(const GemmArguments& arguments, int rows, int columns);

// Whether C and the operands of the epilogue allow vectors of so many bytes along rows.
bool epilogue_aligned(const GemmArguments& arguments, int64_t bytes);

}  // namespace strata::gpu
