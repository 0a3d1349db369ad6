// Pooling, its inverses, and upsampling; images [N, H, W, C], sequences [N, T, C].
//
// Floating types; 16-bit floats are computed in f32. All of these are linear maps (max pooling once
// its switches are fixed) whose adjoints are ops too, so that derivatives of any order exist.
// Results do not depend on the thread count.
#pragma once

#include "engine/ops/conv.h"
#include "engine/tensor/tensor.h"

namespace strata {

struct PoolOptions {
  Pair window = 2;
  Pair stride = Pair(0);  // 0: the window
  Padding padding = 0;    // less than the window
};
struct PoolWithSwitches {
  Tensor values;
  Tensor switches;  // i64: where in the image's H x W plane each maximum was (first one wins ties)
};

// Maximum of each window: [N, H, W, C] -> [N, H', W', C] with
// H' = floor((H + top + bottom - window) / stride) + 1, and W' alike. Padding never wins. NaN does.
// The gradient goes to the first maximum; the backward pass keeps one byte an output for it.
// Errors: an output size that is not positive, padding not less than the window.
Tensor max_pool2d(const Tensor& x, const PoolOptions& options = {}, Caller at = Caller::here());
PoolWithSwitches max_pool2d_with_switches(const Tensor& x, const PoolOptions& options = {},
                                          Caller at = Caller::here());
// Puts values back where the switches say, zero elsewhere: [N, H', W', C] -> [N, H, W, C] (Zeiler
// and Fergus 2013). Values that meet (overlapping windows) add up: this is the adjoint of max
// pooling with these switches. Errors: switches that are not i64 of x's shape, or outside H x W.
Tensor max_unpool2d(const Tensor& x, const Tensor& switches, int64_t height, int64_t width,
                    Caller at = Caller::here());
// Mean of each window. include_padding: padded zeros count in the mean.
Tensor avg_pool2d(const Tensor& x, const PoolOptions& options = {}, bool include_padding = true,
                  Caller at = Caller::here());
// Output cell i covers rows floor(i H / h) to ceil((i + 1) H / h): [N, H, W, C] -> [N, h, w, C].
Tensor adaptive_avg_pool2d(const Tensor& x, int64_t height, int64_t width,
                           Caller at = Caller::here());
Tensor adaptive_max_pool2d(const Tensor& x, int64_t height, int64_t width,
                           Caller at = Caller::here());
// Mean over H and W: [N, H, W, C] -> [N, C].
Tensor global_avg_pool2d(const Tensor& x, Caller at = Caller::here());
// x [N, T, C] -> [N, T', C]; stride 0 is the window, padding is on both sides.
Tensor max_pool1d(const Tensor& x, int64_t window, int64_t stride = 0, int64_t padding = 0,
                  Caller at = Caller::here());
Tensor avg_pool1d(const Tensor& x, int64_t window, int64_t stride = 0, int64_t padding = 0,
                  Caller at = Caller::here());
// [N, H, W, C] -> [N, height, width, C], larger or smaller. Output row i shows row
// floor(i H / height).
Tensor upsample_nearest2d(const Tensor& x, int64_t height, int64_t width,
                          Caller at = Caller::here());
// Interpolates between the four pixels nearest to each output's centre, which is at
// (i + 1/2) H / height - 1/2 (as PyTorch and OpenCV), or with align_corners at
// i (H - 1) / (height - 1).
Tensor upsample_bilinear2d(const Tensor& x, int64_t height, int64_t width,
                           bool align_corners = false, Caller at = Caller::here());

}  // namespace strata
