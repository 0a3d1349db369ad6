#include "models/vision/convnet.h"

#include <algorithm>

namespace strata {

ConvNet::ConvNet(const ConvNetOptions& options) : depth_(options.widths.size()) {
  if (depth_ == 0) fail("ConvNet", Caller{}, "widths is empty; give one width a convolution");
  int64_t width = options.channels;
  for (size_t i = 0; i < depth_; ++i) {
    std::string number = std::to_string(i + 1);
    bool halve = std::count(options.halve.begin(), options.halve.end(), i + 1) > 0;
    Conv2dOptions conv{.stride = halve && !options.max_pool ? 2 : 1, .padding = 1};
    layers_.push_back(&add<ConvNorm>("conv" + number, width, options.widths[i], 3,
                                     ConvNormOptions{.conv = conv, .relu = true}));
    if (halve && options.max_pool) layers_.push_back(&add<MaxPool2d>("pool" + number));
    width = options.widths[i];
  }
  layers_.push_back(&add<GlobalAvgPool>("pool"));
  layers_.push_back(&add<Linear>("head", width, options.classes));
}

Tensor ConvNet::forward(const Tensor& x) {
  Tensor value = x;
  for (Layer* layer : layers_) value = (*layer)(value);
  return value;
}

std::vector<std::string> ConvNet::stages() const {
  std::vector<std::string> names;
  for (size_t i = 1; i <= depth_; ++i) names.push_back("conv" + std::to_string(i));
  names.push_back("head");
  return names;
}

}  // namespace strata
