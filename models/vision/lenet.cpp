#include "models/vision/lenet.h"

#include <algorithm>

#include "engine/nn/activation.h"
#include "engine/nn/conv.h"
#include "engine/nn/linear.h"
#include "engine/nn/pool.h"

namespace strata {
namespace {

// The maps before the fully connected layers.
ImageCost convolutions(const LeNetOptions& o) {
  ImageCost cost(o.channels, o.height, o.width);
  cost.conv(6, 5, 1, o.padding, true), cost.pool(2, 2);
  cost.conv(16, 5, 1, 0, true), cost.pool(2, 2);
  return cost;
}

}  // namespace

Cost lenet_cost(const LeNetOptions& options) {
  ImageCost cost = convolutions(options);
  for (int64_t width : {int64_t{120}, int64_t{84}, options.classes}) cost.linear(width);
  return cost;
}

LeNet::LeNet(const LeNetOptions& options) : options_(options) {
  const ImageCost maps = convolutions(options);
  const int64_t smallest = 16 - 2 * options.padding;
  if (std::min(options.height, options.width) < smallest) {
    fail("LeNet", Caller{}, "needs images of {}x{} or more with padding {}; got {}x{}", smallest,
         smallest, options.padding, options.height, options.width);
  }
  const Conv2dOptions first{.padding = options.padding};
  layers_ = {&add<Conv2d>("conv1", options.channels, 6, 5, first),
             &add<Tanh>("tanh1"),
             &add<AvgPool2d>("pool1"),
             &add<Conv2d>("conv2", 6, 16, 5),
             &add<Tanh>("tanh2"),
             &add<AvgPool2d>("pool2"),
             &add<Flatten>("flatten"),
             &add<Linear>("fc3", maps.channels * maps.height * maps.width, 120),
             &add<Tanh>("tanh3"),
             &add<Linear>("fc4", 120, 84),
             &add<Tanh>("tanh4"),
             &add<Linear>("head", 84, options.classes)};
}

Tensor LeNet::forward(const Tensor& x) {
  if (x.rank() != 4 || x.size(1) != options_.height || x.size(2) != options_.width) {
    fail("LeNet", Caller{}, "takes images [N, {}, {}, {}], as it was made; got {}", options_.height,
         options_.width, options_.channels, describe(x));
  }
  Tensor value = x;
  for (Layer* layer : layers_) value = (*layer)(value);
  return value;
}

std::vector<std::string> LeNet::stages() const {
  return {"tanh1", "tanh2", "tanh3", "tanh4", "head"};
}

}  // namespace strata
