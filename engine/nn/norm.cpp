#include "engine/nn/norm.h"

#include "engine/ops/create.h"

namespace strata {

BatchNorm::BatchNorm(int64_t channels, const BatchNormOptions& given)
    : options(given),
      weight(add_parameter("weight", ones({channels}))),
      bias(add_parameter("bias", zeros({channels}))),
      running_mean(add_buffer("running_mean", zeros({channels}))),
      running_var(add_buffer("running_var", ones({channels}))) {}
std::string BatchNorm::kind() const {
  return fmt::format("BatchNorm({}{})", weight.size(0), options.relu ? ", relu" : "");
}
Tensor BatchNorm::forward(const Tensor& x) {
  options.training = training();
  return batch_norm(x, weight, bias, running_mean, running_var, options);
}
Tensor BatchNorm::operator()(const Tensor& x, const Tensor& residual) {
  options.training = training();
  return run(
      x, [&] { return batch_norm(x, weight, bias, running_mean, running_var, options, residual); });
}

LayerNorm::LayerNorm(int64_t width, double given, bool with_bias)
    : epsilon(given), weight(add_parameter("weight", ones({width}))) {
  if (with_bias) bias = add_parameter("bias", zeros({width}));
}
std::string LayerNorm::kind() const { return fmt::format("LayerNorm({})", weight.size(0)); }
Tensor LayerNorm::forward(const Tensor& x) { return layer_norm(x, weight, bias, epsilon); }

RMSNorm::RMSNorm(int64_t width, double given)
    : epsilon(given), weight(add_parameter("weight", ones({width}))) {}
std::string RMSNorm::kind() const { return fmt::format("RMSNorm({})", weight.size(0)); }
Tensor RMSNorm::forward(const Tensor& x) { return rms_norm(x, weight, epsilon); }

GroupNorm::GroupNorm(int64_t groups, int64_t channels, double given)
    : groups(groups),
      epsilon(given),
      weight(add_parameter("weight", ones({channels}))),
      bias(add_parameter("bias", zeros({channels}))) {
  if (groups < 1 || channels % groups != 0) {
    fail("GroupNorm", Caller{}, "{} channels do not divide into {} groups", channels, groups);
  }
}
std::string GroupNorm::kind() const {
  return fmt::format("GroupNorm({} in {} groups)", weight.size(0), groups);
}
Tensor GroupNorm::forward(const Tensor& x) { return group_norm(x, groups, weight, bias, epsilon); }

}  // namespace strata
