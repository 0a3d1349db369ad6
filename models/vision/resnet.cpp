#include "models/vision/resnet.h"

#include <array>

#include "engine/nn/conv_norm.h"
#include "engine/nn/init.h"
#include "engine/nn/linear.h"
#include "engine/nn/pool.h"
#include "engine/nn/sequential.h"

namespace strata {
namespace {

struct Plan {
  std::array<int64_t, 4> blocks;  // of each stage
  bool bottleneck;
};

Plan plan_of(int64_t depth) {
  switch (depth) {
    case 18:
      return {{2, 2, 2, 2}, false};
    case 26:
      return {{2, 2, 2, 2}, true};
    case 34:
      return {{3, 4, 6, 3}, false};
    case 50:
      return {{3, 4, 6, 3}, true};
    case 101:
      return {{3, 4, 23, 3}, true};
    case 152:
      return {{3, 8, 36, 3}, true};
    default:
      fail("ResNet", Caller{},
           "the depth must be 18, 26, 34, 50, 101 or 152 (CifarResNet has others); got {}", depth);
  }
}

int64_t expansion(bool bottleneck) { return bottleneck ? 4 : 1; }

// Calls block(stage from 0, channels before, C, stride) for each block in order; returns the
// channels after the last.
template <class F>
int64_t each_block(const ResNetOptions& options, F&& block) {
  const Plan plan = plan_of(options.depth);
  int64_t inputs = options.width;
  for (size_t stage = 0; stage < 4; ++stage) {
    const int64_t width = options.width << stage;
    for (int64_t i = 0; i < plan.blocks[stage]; ++i) {
      block(stage, inputs, width, stage > 0 && i == 0 ? 2 : 1);
      inputs = width * expansion(plan.bottleneck);
    }
  }
  return inputs;
}

ConvNormOptions conv(int64_t stride, int64_t padding, bool relu = true) {
  return {.conv = {.stride = stride, .padding = padding}, .relu = relu};
}

}  // namespace

Cost resnet_cost(const ResNetOptions& options, int64_t height, int64_t width) {
  ImageCost cost(options.channels, height, width);
  auto conv_norm = [&](int64_t outputs, int64_t kernel, int64_t stride) {
    cost.conv(outputs, kernel, stride, kernel / 2), cost.norm();
  };
  conv_norm(options.width, options.small_images ? 3 : 7, options.small_images ? 1 : 2);
  if (!options.small_images) cost.pool(3, 2, 1);
  const bool bottleneck = plan_of(options.depth).bottleneck;
  each_block(options, [&](size_t, int64_t inputs, int64_t c, int64_t stride) {
    if (bottleneck) conv_norm(c, 1, 1);
    conv_norm(c, 3, stride);
    bottleneck ? conv_norm(4 * c, 1, 1) : conv_norm(c, 3, 1);
    if (stride != 1 || inputs != cost.channels) {
      ImageCost shortcut(inputs, cost.height, cost.width);
      shortcut.conv(cost.channels, 1), shortcut.norm();
      cost.parameters += shortcut.parameters, cost.multiply_adds += shortcut.multiply_adds;
    }
  });
  cost.resize(1, 1);
  cost.linear(options.classes);
  return cost;
}

ResNetBlock::ResNetBlock(int64_t inputs, int64_t width, int64_t stride, bool bottleneck)
    : conv1_(bottleneck ? add<ConvNorm>("conv1", inputs, width, 1, conv(1, 0))
                        : add<ConvNorm>("conv1", inputs, width, 3, conv(stride, 1))),
      conv2_(add<ConvNorm>("conv2", width, width, 3, conv(bottleneck ? stride : 1, 1))) {
  const int64_t outputs = width * expansion(bottleneck);
  if (bottleneck) conv3_ = &add<ConvNorm>("conv3", width, outputs, 1, conv(1, 0));
  if (stride != 1 || inputs != outputs) {
    downsample_ = &add<ConvNorm>("downsample", inputs, outputs, 1, conv(stride, 0, false));
  }
}

Tensor ResNetBlock::forward(const Tensor& x) {
  Tensor shortcut = downsample_ ? (*downsample_)(x) : x;
  return conv3_ ? (*conv3_)(conv2_(conv1_(x)), shortcut) : conv2_(conv1_(x), shortcut);
}

ResNet::ResNet(const ResNetOptions& options) : options_(options) {
  const Plan plan = plan_of(options.depth);
  if (options.small_images) {
    layers_.push_back(&add<ConvNorm>("conv1", options.channels, options.width, 3, conv(1, 1)));
  } else {
    layers_.push_back(&add<ConvNorm>("conv1", options.channels, options.width, 7, conv(2, 3)));
    layers_.push_back(
        &add<MaxPool2d>("max_pool", PoolOptions{.window = 3, .stride = 2, .padding = 1}));
  }
  std::vector<Sequential*> stages;
  for (int number = 1; number <= 4; ++number) {
    stages.push_back(&add<Sequential>(fmt::format("layer{}", number)));
    layers_.push_back(stages.back());
  }
  const int64_t outputs =
      each_block(options, [&](size_t stage, int64_t inputs, int64_t width, int64_t stride) {
        stages[stage]->push<ResNetBlock>(inputs, width, stride, plan.bottleneck);
      });
  layers_.push_back(&add<GlobalAvgPool>("pool"));
  layers_.push_back(&add<Linear>("head", outputs, options.classes));
  for (auto& [name, tensor] : named_parameters()) {
    if (tensor.rank() == 4) init::kaiming_normal_(tensor, 0, init::Fan::out);
  }
}

Tensor ResNet::forward(const Tensor& x) {
  Tensor value = x;
  for (Layer* layer : layers_) value = (*layer)(value);
  return value;
}

std::vector<std::string> ResNet::stages() const {
  std::vector<std::string> names = {"conv1"};
  const Plan plan = plan_of(options_.depth);
  for (size_t stage = 0; stage < 4; ++stage) {
    for (int64_t i = 0; i < plan.blocks[stage]; ++i) {
      names.push_back(fmt::format("layer{}.{}", stage + 1, i));
    }
  }
  names.push_back("head");
  return names;
}

}  // namespace strata
