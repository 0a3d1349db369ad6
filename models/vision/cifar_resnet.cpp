#include "models/vision/cifar_resnet.h"

#include "engine/nn/init.h"
#include "engine/nn/linear.h"
#include "engine/nn/pool.h"
#include "engine/nn/sequential.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/join.h"
#include "engine/ops/view.h"

namespace strata {
namespace {

ConvNormOptions conv3x3(int64_t stride) {
  return {.conv = {.stride = stride, .padding = 1}, .relu = true};
}

// x as the block's result is shaped: every `stride`-th pixel, zeros for the new channels.
Tensor shortcut(const Tensor& x, int64_t outputs, int64_t stride) {
  Tensor value = x;
  if (stride > 1) {
    value = value.slice(1, 0, value.size(1), stride).slice(2, 0, value.size(2), stride);
  }
  const int64_t more = outputs - x.size(3);
  return more > 0 ? pad(value, {0, 0, 0, 0}, {0, 0, 0, more}) : value;
}

// Blocks of each stage.
int64_t blocks(const CifarResNetOptions& options) {
  if (options.depth < 8 || (options.depth - 2) % 6 != 0) {
    fail("CifarResNet", Caller{},
         "the depth must be 6 n + 2 (8, 14, 20, 32, 44, 56, 110, 1202); got {}", options.depth);
  }
  return (options.depth - 2) / 6;
}

}  // namespace

Cost cifar_resnet_cost(const CifarResNetOptions& options, int64_t height, int64_t width) {
  ImageCost cost(options.channels, height, width);
  cost.conv(options.width, 3, 1, 1), cost.norm();
  for (int stage = 0; stage < 3; ++stage) {
    for (int64_t i = 0; i < 2 * blocks(options); ++i) {
      cost.conv(options.width << stage, 3, stage > 0 && i == 0 ? 2 : 1, 1), cost.norm();
    }
  }
  cost.resize(1, 1);
  cost.linear(options.classes);
  return cost;
}

CifarBlock::CifarBlock(int64_t inputs, int64_t outputs, int64_t stride, bool shortcut)
    : outputs_(outputs),
      stride_(stride),
      shortcut_(shortcut),
      conv1_(add<ConvNorm>("conv1", inputs, outputs, 3, conv3x3(stride))),
      conv2_(add<ConvNorm>("conv2", outputs, outputs, 3, conv3x3(1))) {}

Tensor CifarBlock::forward(const Tensor& x) {
  Tensor y = conv1_(x);
  return shortcut_ ? conv2_(y, shortcut(x, outputs_, stride_)) : conv2_(y);
}

PreactivationBlock::PreactivationBlock(int64_t inputs, int64_t outputs, int64_t stride, bool norm1)
    : outputs_(outputs),
      stride_(stride),
      norm1_(norm1 ? &add<BatchNorm>("norm1", inputs, BatchNormOptions{.relu = true}) : nullptr),
      conv1_(add<ConvNorm>("conv1", inputs, outputs, 3, conv3x3(stride))),
      conv2_(add<Conv2d>("conv2", outputs, outputs, 3, Conv2dOptions{.padding = 1}, false)) {}

Tensor PreactivationBlock::forward(const Tensor& x) {
  Tensor active = norm1_ ? (*norm1_)(x) : x;
  return shortcut(x, outputs_, stride_) + conv2_(conv1_(active));
}

CifarResNet::CifarResNet(const CifarResNetOptions& options) : options_(options) {
  int64_t inputs = options.width, outputs = options.width;
  const bool preactivation = options.variant == CifarVariant::preactivation;
  layers_.push_back(&add<ConvNorm>("conv1", options.channels, inputs, 3, conv3x3(1)));
  for (int number = 1; number <= 3; ++number) {
    auto& layer = add<Sequential>(fmt::format("layer{}", number));
    for (int64_t i = 0; i < blocks(options); ++i) {
      const int64_t stride = i == 0 && number > 1 ? 2 : 1;
      if (preactivation) {
        layer.push<PreactivationBlock>(inputs, outputs, stride, i > 0 || number > 1);
      } else {
        layer.push<CifarBlock>(inputs, outputs, stride, options.variant == CifarVariant::residual);
      }
      inputs = outputs;
    }
    layers_.push_back(&layer);
    outputs *= 2;
  }
  if (preactivation) {
    layers_.push_back(&add<BatchNorm>("norm", inputs, BatchNormOptions{.relu = true}));
  }
  layers_.push_back(&add<GlobalAvgPool>("pool"));
  layers_.push_back(&add<Linear>("head", inputs, options.classes));
  for (auto& [name, tensor] : named_parameters()) {
    if (tensor.rank() == 4) init::kaiming_normal_(tensor);
  }
}

std::string CifarResNet::kind() const {
  static constexpr const char* names[] = {"ResNet", "PlainNet", "PreResNet"};
  return fmt::format("{}-{}", names[static_cast<size_t>(options_.variant)], options_.depth);
}

Tensor CifarResNet::forward(const Tensor& x) {
  Tensor value = x;
  for (Layer* layer : layers_) value = (*layer)(value);
  return value;
}

std::vector<std::string> CifarResNet::stages() const {
  std::vector<std::string> names = {"conv1"};
  for (const char* layer : {"layer1", "layer2", "layer3"}) {
    for (int64_t i = 0; i < blocks(options_); ++i) names.push_back(fmt::format("{}.{}", layer, i));
  }
  if (options_.variant == CifarVariant::preactivation) names.push_back("norm");
  names.push_back("head");
  return names;
}

}  // namespace strata
