#include "models/vision/alexnet.h"

#include "engine/nn/activation.h"
#include "engine/nn/conv.h"
#include "engine/nn/linear.h"
#include "engine/nn/pool.h"

namespace strata {
namespace {

struct Convolution {
  int64_t width, kernel, stride, padding;  // width in units of the first one's
  bool pool;
};

std::vector<Convolution> convolutions(const AlexNetOptions& options) {
  const Convolution first =
      options.small_images ? Convolution{1, 5, 1, 2, true} : Convolution{1, 11, 4, 2, true};
  return {first, {3, 5, 1, 2, true}, {6, 3, 1, 1, false}, {4, 3, 1, 1, false}, {4, 3, 1, 1, true}};
}

int64_t positions(const AlexNetOptions& options) { return options.small_images ? 3 : 6; }

}  // namespace

AlexNetOptions alexnet_s_options() {
  return {.classes = 10, .width = 16, .hidden = 256, .small_images = true};
}

Cost alexnet_cost(const AlexNetOptions& options, int64_t height, int64_t width) {
  ImageCost cost(options.channels, height, width);
  for (const Convolution& c : convolutions(options)) {
    cost.conv(c.width * options.width, c.kernel, c.stride, c.padding, true);
    if (c.pool) cost.pool(3, 2);
  }
  cost.resize(positions(options), positions(options));
  for (int64_t outputs : {options.hidden, options.hidden, options.classes}) cost.linear(outputs);
  return cost;
}

AlexNet::AlexNet(const AlexNetOptions& options) {
  int64_t inputs = options.channels, number = 0;
  for (const Convolution& c : convolutions(options)) {
    ++number;
    const int64_t outputs = c.width * options.width;
    layers_.push_back(
        &add<Conv2d>(fmt::format("conv{}", number), inputs, outputs, c.kernel,
                     Conv2dOptions{.stride = c.stride, .padding = c.padding, .relu = true}));
    if (c.pool) {
      layers_.push_back(
          &add<MaxPool2d>(fmt::format("pool{}", number), PoolOptions{.window = 3, .stride = 2}));
    }
    inputs = outputs;
  }
  const int64_t size = positions(options);
  layers_.push_back(&add<AdaptiveAvgPool2d>("resize", size, size));
  layers_.push_back(&add<Flatten>("flatten"));
  inputs *= size * size;
  for (number = 6; number <= 7; ++number) {
    layers_.push_back(&add<Dropout>(fmt::format("dropout{}", number), options.dropout));
    layers_.push_back(&add<Linear>(fmt::format("fc{}", number), inputs, options.hidden));
    layers_.push_back(&add<ReLU>(fmt::format("relu{}", number)));
    inputs = options.hidden;
  }
  layers_.push_back(&add<Linear>("head", inputs, options.classes));
}

Tensor AlexNet::forward(const Tensor& x) {
  Tensor value = x;
  for (Layer* layer : layers_) value = (*layer)(value);
  return value;
}

std::vector<std::string> AlexNet::stages() const {
  return {"conv1", "conv2", "conv3", "conv4", "conv5", "relu6", "relu7", "head"};
}

}  // namespace strata
