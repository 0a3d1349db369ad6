#include "models/vision/vgg.h"

#include <algorithm>
#include <numeric>

#include "engine/nn/activation.h"
#include "engine/nn/conv_norm.h"
#include "engine/nn/init.h"
#include "engine/nn/linear.h"
#include "engine/nn/pool.h"

namespace strata {
namespace {

int64_t stage_width(const VggOptions& options, size_t stage) {
  return options.width * std::min<int64_t>(8, int64_t{1} << stage);
}

}  // namespace

VggOptions vgg_options(int64_t depth, bool batch_norm) {
  VggOptions options{.batch_norm = batch_norm};
  switch (depth) {
    case 11:
      options.convolutions = {1, 1, 2, 2, 2};
      break;
    case 13:
      options.convolutions = {2, 2, 2, 2, 2};
      break;
    case 16:
      options.convolutions = {2, 2, 3, 3, 3};
      break;
    case 19:
      options.convolutions = {2, 2, 4, 4, 4};
      break;
    default:
      fail("vgg_options", Caller{}, "the depth must be 11, 13, 16 or 19; got {}", depth);
  }
  return options;
}

VggOptions vgg_s_options() {
  return {.convolutions = {2, 2, 2},
          .classes = 10,
          .width = 32,
          .hidden = 256,
          .positions = 4,
          .batch_norm = true};
}

Cost vgg_cost(const VggOptions& options, int64_t height, int64_t width) {
  ImageCost cost(options.channels, height, width);
  for (size_t stage = 0; stage < options.convolutions.size(); ++stage) {
    for (int64_t i = 0; i < options.convolutions[stage]; ++i) {
      cost.conv(stage_width(options, stage), 3, 1, 1, true);
      if (options.batch_norm) cost.norm();
    }
    cost.pool(2, 2);
  }
  cost.resize(options.positions, options.positions);
  for (int64_t outputs : {options.hidden, options.hidden, options.classes}) cost.linear(outputs);
  return cost;
}

Vgg::Vgg(const VggOptions& options) : options_(options) {
  if (options.convolutions.empty()) {
    fail("Vgg", Caller{}, "convolutions is empty; give their number in each stage");
  }
  int64_t inputs = options.channels;
  for (size_t stage = 0; stage < options.convolutions.size(); ++stage) {
    const int64_t outputs = stage_width(options, stage);
    for (int64_t i = 1; i <= options.convolutions[stage]; ++i) {
      const std::string name = fmt::format("conv{}_{}", stage + 1, i);
      Conv2dOptions conv{.padding = 1};
      if (options.batch_norm) {
        layers_.push_back(
            &add<ConvNorm>(name, inputs, outputs, 3, ConvNormOptions{.conv = conv, .bias = true}));
      } else {
        conv.relu = true;
        layers_.push_back(&add<Conv2d>(name, inputs, outputs, 3, conv));
      }
      inputs = outputs;
    }
    layers_.push_back(&add<MaxPool2d>(fmt::format("pool{}", stage + 1)));
  }
  layers_.push_back(&add<AdaptiveAvgPool2d>("resize", options.positions, options.positions));
  layers_.push_back(&add<Flatten>("flatten"));
  inputs *= options.positions * options.positions;
  for (int number = 1; number <= 2; ++number) {
    layers_.push_back(&add<Linear>(fmt::format("fc{}", number), inputs, options.hidden));
    layers_.push_back(&add<ReLU>(fmt::format("relu{}", number)));
    layers_.push_back(&add<Dropout>(fmt::format("dropout{}", number), options.dropout));
    inputs = options.hidden;
  }
  layers_.push_back(&add<Linear>("head", inputs, options.classes));
  // He et al. 2015, for the linear layers too: torchvision draws those with deviation 0.01, which
  // is about half of He's for 4096 units, but a ninth for the 256 of VGG-S.
  for (auto& [name, tensor] : named_parameters()) {
    if (tensor.rank() == 4) init::kaiming_normal_(tensor, 0, init::Fan::out);
    if (tensor.rank() == 2) init::kaiming_normal_(tensor);
    if (name.ends_with("bias")) init::zeros_(tensor);
  }
}

std::string Vgg::kind() const {
  const int64_t depth =
      std::accumulate(options_.convolutions.begin(), options_.convolutions.end(), int64_t{3});
  return fmt::format("VGG-{}{}", depth, options_.batch_norm ? " with batch norm" : "");
}

Tensor Vgg::forward(const Tensor& x) {
  Tensor value = x;
  for (Layer* layer : layers_) value = (*layer)(value);
  return value;
}

std::vector<std::string> Vgg::stages() const {
  std::vector<std::string> names;
  for (size_t stage = 0; stage < options_.convolutions.size(); ++stage) {
    for (int64_t i = 1; i <= options_.convolutions[stage]; ++i) {
      names.push_back(fmt::format("conv{}_{}", stage + 1, i));
    }
  }
  names.insert(names.end(), {"relu1", "relu2", "head"});
  return names;
}

}  // namespace strata
