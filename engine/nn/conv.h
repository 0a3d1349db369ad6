// Convolution layers over engine/ops/conv.h: images [N, H, W, C], sequences [N, T, C], weights
// OHWI. Weight and bias start uniform within 1 / sqrt(fan in), as PyTorch's.
#pragma once

#include "engine/nn/layer.h"
#include "engine/ops/conv.h"

namespace strata {

// [N, H, W, inputs] -> [N, H', W', outputs].
class Conv2d : public Layer {
 public:
  Conv2d(int64_t inputs, int64_t outputs, Pair kernel, const Conv2dOptions& options = {},
         bool bias = true);
  std::string kind() const override;
  Tensor forward(const Tensor& x) override;

  Conv2dOptions options;
  Tensor weight;  // [outputs, kernel H, kernel W, inputs / groups]
  Tensor bias;    // [outputs], or undefined
};

// [N, T, inputs] -> [N, T', outputs].
class Conv1d : public Layer {
 public:
  Conv1d(int64_t inputs, int64_t outputs, int64_t kernel, const Conv1dOptions& options = {},
         bool bias = true);
  std::string kind() const override;
  Tensor forward(const Tensor& x) override;

  Conv1dOptions options;
  Tensor weight;  // [outputs, kernel, inputs / groups]
  Tensor bias;
};

// [N, H, W, inputs] -> [N, H', W', outputs], the adjoint of a convolution.
class ConvTranspose2d : public Layer {
 public:
  ConvTranspose2d(int64_t inputs, int64_t outputs, Pair kernel,
                  const ConvTranspose2dOptions& options = {}, bool bias = true);
  std::string kind() const override;
  Tensor forward(const Tensor& x) override;

  ConvTranspose2dOptions options;
  Tensor weight;  // [inputs, kernel H, kernel W, outputs / groups]
  Tensor bias;
};

}  // namespace strata
