// Normalisation layers' arithmetic. x is of a floating type, channels last; the result has its
// shape and type. Statistics are kept in f32 or better. scale and shift, [C] of any floating type,
// may be undefined (1 and 0).
#pragma once

#include "engine/tensor/tensor.h"

namespace strata {

// Over the last axis, C: (x - mean) / sqrt(var + epsilon) * scale + shift; scale, shift [C]
// (Ba et al. 2016).
Tensor layer_norm(const Tensor& x, const Tensor& scale, const Tensor& shift, double epsilon = 1e-5,
                  Caller at = Caller::here());
// x / sqrt(mean(x^2) + epsilon) * scale over the last axis (Zhang and Sennrich 2019).
Tensor rms_norm(const Tensor& x, const Tensor& scale, double epsilon = 1e-6,
                Caller at = Caller::here());
// x [N, ..., C] in groups of C / groups channels, statistics over a sample's positions and the
// group's channels (Wu and He 2018).
Tensor group_norm(const Tensor& x, int64_t groups, const Tensor& scale, const Tensor& shift,
                  double epsilon = 1e-5, Caller at = Caller::here());

struct BatchNormOptions {
  bool training = true;
  double momentum = 0.1;  // running = (1 - momentum) running + momentum batch
  double epsilon = 1e-5;
  bool relu = false;  // max(0, .) of the result, fused
};
// x [..., C], statistics over all axes but the last (Ioffe and Szegedy 2015). In training the
// batch's statistics are used and the running ones (f32 [C], may be undefined) are updated in
// place, with the unbiased variance; otherwise the running ones are used. `residual` (x's shape,
// may be undefined) is added before the ReLU: relu(batch_norm(x) + residual) in one pass. Running
// statistics are constants to autograd. Errors: training with fewer than 2 values a channel,
// inference without running statistics. Kept for the backward pass: x, two numbers a channel, and
// the result if both residual and relu are there.
Tensor batch_norm(const Tensor& x, const Tensor& scale, const Tensor& shift,
                  const Tensor& running_mean, const Tensor& running_var,
                  const BatchNormOptions& options = {}, const Tensor& residual = {},
                  Caller at = Caller::here());

}  // namespace strata
