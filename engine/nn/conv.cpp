#include "engine/nn/conv.h"

#include "engine/nn/init.h"

namespace strata {
namespace {

void check_groups(const char* layer, int64_t inputs, int64_t outputs, int64_t groups) {
  if (groups < 1 || inputs % groups != 0 || outputs % groups != 0) {
    fail(layer, Caller{}, "{} input and {} output channels do not divide into {} groups", inputs,
         outputs, groups);
  }
}

std::string describe_conv(const char* name, int64_t inputs, int64_t outputs, Pair kernel,
                          Pair stride, int64_t groups, bool bias) {
  std::string text = fmt::format("{}({} -> {}, {}x{}", name, inputs, outputs, kernel.h, kernel.w);
  if (stride != Pair(1)) text += fmt::format(", stride {}x{}", stride.h, stride.w);
  if (groups != 1) text += fmt::format(", {} groups", groups);
  return text + (bias ? ")" : ", no bias)");
}

}  // namespace

Conv2d::Conv2d(int64_t inputs, int64_t outputs, Pair kernel, const Conv2dOptions& given,
               bool with_bias)
    : options(given) {
  check_groups("Conv2d", inputs, outputs, options.groups);
  weight = add_parameter("weight", empty({outputs, kernel.h, kernel.w, inputs / options.groups}));
  if (with_bias) bias = add_parameter("bias", empty({outputs}));
  init::default_(weight, bias);
}
std::string Conv2d::kind() const {
  return describe_conv("Conv2d", weight.size(3) * options.groups, weight.size(0),
                       {weight.size(1), weight.size(2)}, options.stride, options.groups,
                       bias.defined());
}
Tensor Conv2d::forward(const Tensor& x) { return conv2d(x, weight, bias, options); }

Conv1d::Conv1d(int64_t inputs, int64_t outputs, int64_t kernel, const Conv1dOptions& given,
               bool with_bias)
    : options(given) {
  check_groups("Conv1d", inputs, outputs, options.groups);
  weight = add_parameter("weight", empty({outputs, kernel, inputs / options.groups}));
  if (with_bias) bias = add_parameter("bias", empty({outputs}));
  init::default_(weight, bias);
}
std::string Conv1d::kind() const {
  return fmt::format("Conv1d({} -> {}, {}, stride {}{})", weight.size(2) * options.groups,
                     weight.size(0), weight.size(1), options.stride,
                     bias.defined() ? "" : ", no bias");
}
Tensor Conv1d::forward(const Tensor& x) { return conv1d(x, weight, bias, options); }

ConvTranspose2d::ConvTranspose2d(int64_t inputs, int64_t outputs, Pair kernel,
                                 const ConvTranspose2dOptions& given, bool with_bias)
    : options(given) {
  check_groups("ConvTranspose2d", inputs, outputs, options.groups);
  weight = add_parameter("weight", empty({inputs, kernel.h, kernel.w, outputs / options.groups}));
  if (with_bias) bias = add_parameter("bias", empty({outputs}));
  init::default_(weight, bias);
}
std::string ConvTranspose2d::kind() const {
  return describe_conv("ConvTranspose2d", weight.size(0), weight.size(3) * options.groups,
                       {weight.size(1), weight.size(2)}, options.stride, options.groups,
                       bias.defined());
}
Tensor ConvTranspose2d::forward(const Tensor& x) {
  return conv_transpose2d(x, weight, bias, options);
}

}  // namespace strata
