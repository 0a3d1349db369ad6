#include "models/vision/cifar_resnet.h"

#include "engine/nn/init.h"
#include "engine/ops/join.h"
#include "engine/ops/view.h"

namespace strata {
namespace {

ConvNormOptions conv3x3(int64_t stride) {
  return {.conv = {.stride = stride, .padding = 1}, .relu = true};
}

}  // namespace

CifarBlock::CifarBlock(int64_t inputs, int64_t outputs, int64_t stride)
    : inputs_(inputs),
      outputs_(outputs),
      stride_(stride),
      conv1_(add<ConvNorm>("conv1", inputs, outputs, 3, conv3x3(stride))),
      conv2_(add<ConvNorm>("conv2", outputs, outputs, 3, conv3x3(1))) {}

Tensor CifarBlock::shortcut(const Tensor& x) const {
  Tensor value = x;
  if (stride_ > 1) {
    value = value.slice(1, 0, value.size(1), stride_).slice(2, 0, value.size(2), stride_);
  }
  if (outputs_ > inputs_) value = pad(value, {0, 0, 0, 0}, {0, 0, 0, outputs_ - inputs_});
  return value;
}

Tensor CifarBlock::forward(const Tensor& x) { return conv2_(conv1_(x), shortcut(x)); }

CifarResNet::CifarResNet(const CifarResNetOptions& options)
    : depth_(options.depth),
      conv1_(add<ConvNorm>("conv1", options.channels, options.width, 3, conv3x3(1))),
      layer1_(add<Sequential>("layer1")),
      layer2_(add<Sequential>("layer2")),
      layer3_(add<Sequential>("layer3")),
      pool_(add<GlobalAvgPool>("pool")),
      head_(add<Linear>("head", 4 * options.width, options.classes)) {
  if (depth_ < 8 || (depth_ - 2) % 6 != 0) {
    fail("CifarResNet", Caller{}, "the depth must be 6 n + 2 (8, 14, 20, 32, 44, 56, 110); got {}",
         depth_);
  }
  int64_t inputs = options.width, outputs = options.width;
  for (Sequential* layer : {&layer1_, &layer2_, &layer3_}) {
    for (int64_t i = 0; i < (depth_ - 2) / 6; ++i) {
      layer->push<CifarBlock>(inputs, outputs, i == 0 && layer != &layer1_ ? 2 : 1);
      inputs = outputs;
    }
    outputs *= 2;
  }
  for (auto& [name, tensor] : named_parameters()) {
    if (tensor.rank() == 4) init::kaiming_normal_(tensor);
  }
}

std::string CifarResNet::kind() const { return fmt::format("ResNet-{}", depth_); }

Tensor CifarResNet::forward(const Tensor& x) {
  return head_(pool_(layer3_(layer2_(layer1_(conv1_(x))))));
}

std::vector<std::string> CifarResNet::stages() const {
  std::vector<std::string> names = {"conv1"};
  for (const char* layer : {"layer1", "layer2", "layer3"}) {
    for (int64_t i = 0; i < (depth_ - 2) / 6; ++i) names.push_back(fmt::format("{}.{}", layer, i));
  }
  names.push_back("head");
  return names;
}

}  // namespace strata
