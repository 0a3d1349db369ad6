// Pooling, its inverses, and upsampling; images [N, H, W, C].
#pragma once

#include "engine/ops/conv.h"
#include "engine/tensor/tensor.h"

namespace strata {

struct PoolOptions {
  Pair window = 2;
  Pair stride = Pair(0);  // 0: the window
  Padding padding = 0;
};
struct PoolWithSwitches {
  Tensor values;
  Tensor switches;  // i64: where in the image's H x W plane each maximum was (first one wins ties)
};

// Padding never wins a maximum. Gradients go to the first maximum.
Tensor max_pool2d(const Tensor& x, const PoolOptions& options = {}, Caller at = Caller::here());
PoolWithSwitches max_pool2d_with_switches(const Tensor& x, const PoolOptions& options = {},
                                          Caller at = Caller::here());
// Puts values back where the switches say, zero elsewhere: [N, H', W', C] -> [N, H, W, C] (Zeiler
// and Fergus 2013). The adjoint of max pooling with these switches.
Tensor max_unpool2d(const Tensor& x, const Tensor& switches, int64_t height, int64_t width,
                    Caller at = Caller::here());
// include_padding: padded zeros count in the mean.
Tensor avg_pool2d(const Tensor& x, const PoolOptions& options = {}, bool include_padding = true,
                  Caller at = Caller::here());
// Output cell i covers rows floor(i H / h) to ceil((i + 1) H / h).
Tensor adaptive_avg_pool2d(const Tensor& x, int64_t height, int64_t width,
                           Caller at = Caller::here());
Tensor adaptive_max_pool2d(const Tensor& x, int64_t height, int64_t width,
                           Caller at = Caller::here());
// Mean over H and W: [N, H, W, C] -> [N, C].
Tensor global_avg_pool2d(const Tensor& x, Caller at = Caller::here());
// x [N, T, C].
Tensor max_pool1d(const Tensor& x, int64_t window, int64_t stride = 0, int64_t padding = 0,
                  Caller at = Caller::here());
Tensor avg_pool1d(const Tensor& x, int64_t window, int64_t stride = 0, int64_t padding = 0,
                  Caller at = Caller::here());
Tensor upsample_nearest2d(const Tensor& x, int64_t height, int64_t width,
                          Caller at = Caller::here());
// align_corners = false: pixel centres at half-integers, as PyTorch and OpenCV.
Tensor upsample_bilinear2d(const Tensor& x, int64_t height, int64_t width,
                           bool align_corners = false, Caller at = Caller::here());

}  // namespace strata
