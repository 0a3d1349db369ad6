// Pooling, reshaping and resizing as layers; images [N, H, W, C].
#pragma once

#include "engine/nn/layer.h"
#include "engine/ops/pool.h"
#include "engine/ops/view.h"

namespace strata {

struct MaxPool2d : Layer {
  PoolOptions options;
  explicit MaxPool2d(const PoolOptions& options = {}) : options(options) {}
  std::string kind() const override {
    return fmt::format("MaxPool2d({}x{})", options.window.h, options.window.w);
  }
  Tensor forward(const Tensor& x) override { return max_pool2d(x, options); }
};

struct AvgPool2d : Layer {
  PoolOptions options;
  bool include_padding;
  explicit AvgPool2d(const PoolOptions& options = {}, bool include_padding = true)
      : options(options), include_padding(include_padding) {}
  std::string kind() const override {
    return fmt::format("AvgPool2d({}x{})", options.window.h, options.window.w);
  }
  Tensor forward(const Tensor& x) override { return avg_pool2d(x, options, include_padding); }
};

// [N, H, W, C] -> [N, height, width, C].
struct AdaptiveAvgPool2d : Layer {
  int64_t height, width;
  AdaptiveAvgPool2d(int64_t height, int64_t width) : height(height), width(width) {}
  std::string kind() const override {
    return fmt::format("AdaptiveAvgPool2d({}x{})", height, width);
  }
  Tensor forward(const Tensor& x) override { return adaptive_avg_pool2d(x, height, width); }
};

// [N, H, W, C] -> [N, C].
struct GlobalAvgPool : Layer {
  std::string kind() const override { return "GlobalAvgPool"; }
  Tensor forward(const Tensor& x) override { return global_avg_pool2d(x); }
};

// [N, ...] -> [N, product of the rest].
struct Flatten : Layer {
  std::string kind() const override { return "Flatten"; }
  Tensor forward(const Tensor& x) override { return x.rank() == 2 ? x : x.flatten(1); }
};

enum class Interpolation { nearest, bilinear };
// [N, H, W, C] -> [N, factor H, factor W, C].
struct Upsample : Layer {
  int64_t factor;
  Interpolation interpolation;
  explicit Upsample(int64_t factor, Interpolation interpolation = Interpolation::nearest)
      : factor(factor), interpolation(interpolation) {}
  std::string kind() const override { return fmt::format("Upsample({})", factor); }
  Tensor forward(const Tensor& x) override {
    int64_t height = factor * x.size(1), width = factor * x.size(2);
    return interpolation == Interpolation::nearest ? upsample_nearest2d(x, height, width)
                                                   : upsample_bilinear2d(x, height, width);
  }
};

}  // namespace strata
