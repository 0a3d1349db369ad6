// Normalisation layers over engine/ops/norm.h. Parameters are called weight (the scale, starts at
// 1) and bias (the shift, starts at 0), as PyTorch's.
#pragma once

#include "engine/nn/layer.h"
#include "engine/ops/norm.h"

namespace strata {

// x [..., channels] (Ioffe and Szegedy 2015): images, sequences and rows alike. With options.relu,
// and with a residual given, the result is relu(norm(x) + residual) in one pass over memory; the
// activation shown under this layer's name is that result.
class BatchNorm : public Layer {
 public:
  // options.training is ignored: train() and eval() say it.
  explicit BatchNorm(int64_t channels, const BatchNormOptions& options = {});
  std::string kind() const override;
  Tensor forward(const Tensor& x) override;
  using Layer::operator();
  // residual: x's shape.
  Tensor operator()(const Tensor& x, const Tensor& residual);

  BatchNormOptions options;
  Tensor weight, bias;               // [channels]
  Tensor running_mean, running_var;  // buffers, f32 [channels]
};

// x [..., width], over the last axis (Ba et al. 2016).
class LayerNorm : public Layer {
 public:
  explicit LayerNorm(int64_t width, double epsilon = 1e-5, bool bias = true);
  std::string kind() const override;
  Tensor forward(const Tensor& x) override;

  double epsilon;
  Tensor weight, bias;  // [width]
};

// x [..., width] (Zhang and Sennrich 2019).
class RMSNorm : public Layer {
 public:
  explicit RMSNorm(int64_t width, double epsilon = 1e-6);
  std::string kind() const override;
  Tensor forward(const Tensor& x) override;

  double epsilon;
  Tensor weight;  // [width]
};

// x [N, ..., channels] (Wu and He 2018).
class GroupNorm : public Layer {
 public:
  GroupNorm(int64_t groups, int64_t channels, double epsilon = 1e-5);
  std::string kind() const override;
  Tensor forward(const Tensor& x) override;

  int64_t groups;
  double epsilon;
  Tensor weight, bias;  // [channels]
};

}  // namespace strata
