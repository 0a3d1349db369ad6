// Sums in a fixed order of what blocks left in the workspace, and of gradients over pixels.
#pragma once

#include "kernels/common/numeric.h"

namespace strata::gpu::conv {

// out[i] = sum over s, in order, of slices[s, i]; slices are f32 (f64 for f64), out is `dtype`.
void fold(DType dtype, const void* slices, int64_t count, int64_t size, void* out);

// out[o] = sum over pixels of gradient[pixel, o]: the gradient of a bias.
void channel_sums(DType dtype, const void* gradient, int64_t pixels, int64_t channels, void* out);

}  // namespace strata::gpu::conv
