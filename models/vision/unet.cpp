#include "models/vision/unet.h"

#include <cmath>

#include "engine/nn/init.h"
#include "engine/ops/create.h"
#include "engine/ops/join.h"
#include "engine/ops/pool.h"

namespace strata {
namespace {

void push_double(Sequential& layers, int64_t inputs, int64_t outputs) {
  ConvNormOptions options;
  options.conv.padding = 1;
  layers.push<ConvNorm>("conv1", inputs, outputs, 3, options);
  layers.push<ConvNorm>("conv2", outputs, outputs, 3, options);
}

int64_t double_count(int64_t inputs, int64_t outputs) {
  return 9 * (inputs + outputs) * outputs + 4 * outputs;
}

}  // namespace

int64_t unet_parameter_count(const UNetOptions& o) {
  int64_t count = double_count(o.channels, o.width) + (o.width + 1) * o.classes;
  for (int64_t i = 1, c = o.width; i < o.depth; ++i, c *= 2)
    count += double_count(c, 2 * c) + (4 * 2 * c + 1) * c + double_count(2 * c, c);
  return count;
}

UNetUp::UNetUp(int64_t channels)
    : channels_(channels),
      raise_(add<ConvTranspose2d>("raise", 2 * channels, channels, 2,
                                  ConvTranspose2dOptions{.stride = 2})),
      double_(add<Sequential>("double")) {
  push_double(double_, 2 * channels, channels);
}

Tensor UNetUp::forward(const Tensor& x) {
  return (*this)(
      x, zeros({x.size(0), 2 * x.size(1), 2 * x.size(2), channels_}, x.dtype(), x.device()));
}

Tensor UNetUp::operator()(const Tensor& x, const Tensor& skip) {
  return run(x, [&] { return double_(concatenate({raise_(x), skip}, 3)); });
}

UNet::UNet(const UNetOptions& options) {
  if (options.depth < 1)
    fail("UNet", Caller{}, "needs a depth of 1 at least; got {}", options.depth);
  int64_t inputs = options.channels;
  for (int64_t i = 0; i < options.depth; ++i) {
    const int64_t outputs = options.width << i;
    down_.push_back(&add<Sequential>(fmt::format("down{}", i)));
    push_double(*down_.back(), inputs, outputs);
    inputs = outputs;
  }
  up_.resize(down_.size() - 1);
  for (size_t i = up_.size(); i-- > 0;)
    up_[i] = &add<UNetUp>(fmt::format("up{}", i), options.width << i);
  head_ = &add<Conv2d>("head", options.width, options.classes, 1);
  for (auto& [name, tensor] : named_parameters())
    if (tensor.rank() == 4) init::kaiming_normal_(tensor);
}

Tensor UNet::forward(const Tensor& x) {
  const int64_t multiple = int64_t{1} << (down_.size() - 1);
  if (x.rank() != 4 || x.size(1) % multiple != 0 || x.size(2) % multiple != 0) {
    fail("UNet", Caller{}, "takes images [N, H, W, C] whose sides divide by {}; got {}", multiple,
         describe(x));
  }
  std::vector<Tensor> skips;
  Tensor value = x;
  for (Sequential* down : down_) {
    value = (*down)(skips.empty() ? value : max_pool2d(value));
    skips.push_back(value);
  }
  for (size_t i = up_.size(); i-- > 0;) value = (*up_[i])(value, skips[i]);
  return (*head_)(value);
}

std::vector<std::string> UNet::stages() const {
  std::vector<std::string> names;
  for (size_t i = 0; i < down_.size(); ++i) names.push_back(fmt::format("down{}", i));
  for (size_t i = up_.size(); i-- > 0;) names.push_back(fmt::format("up{}", i));
  names.push_back("head");
  return names;
}

std::vector<double> intersection_over_union(const Tensor& found, const Tensor& truth,
                                            int64_t classes, Caller at) {
  if (found.shape() != truth.shape() || found.dtype() != DType::i64 || truth.dtype() != DType::i64)
    fail("intersection_over_union", at, "takes two i64 label maps of one shape; got {} and {}",
         describe(found), describe(truth));
  std::vector<double> both(static_cast<size_t>(classes)), either(both);
  const auto a = found.to_vector<int64_t>(), b = truth.to_vector<int64_t>();
  for (size_t i = 0; i < a.size(); ++i) {
    for (int64_t label : {a[i], b[i]})
      if (label < 0 || label >= classes)
        fail("intersection_over_union", at, "label {} is none of {} classes", label, classes);
    both[static_cast<size_t>(a[i])] += a[i] == b[i];
    either[static_cast<size_t>(a[i])] += 1;
    either[static_cast<size_t>(b[i])] += a[i] != b[i];
  }
  for (size_t c = 0; c < both.size(); ++c) both[c] = either[c] > 0 ? both[c] / either[c] : NAN;
  return both;
}

}  // namespace strata
