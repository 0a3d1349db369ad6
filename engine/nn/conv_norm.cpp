#include "engine/nn/conv_norm.h"

#include "engine/autograd/autograd.h"
#include "engine/ops/elementwise.h"

namespace strata {

ConvNorm::ConvNorm(int64_t inputs, int64_t outputs, Pair kernel, const ConvNormOptions& options)
    : conv(add<Conv2d>("conv", inputs, outputs, kernel, options.conv, options.bias)),
      norm(add<BatchNorm>("norm", outputs, BatchNormOptions{.relu = options.relu})) {}

std::string ConvNorm::kind() const { return norm.options.relu ? "ConvNorm(relu)" : "ConvNorm"; }

Tensor ConvNorm::block(const Tensor& x, const Tensor& residual) {
  bool wants_gradient = grad_enabled() && conv.weight.requires_grad();
  if (!fold_ || training() || wants_gradient) {
    return residual.defined() ? norm(conv(x), residual) : norm(conv(x));
  }
  refresh_folded();
  Conv2dOptions options = conv.options;
  options.relu = norm.options.relu;
  return conv2d(x, folded_weight_, folded_bias_, options, residual);
}

void ConvNorm::refresh_folded() {
  std::vector<std::pair<Ref<Storage>, uint32_t>> now;
  for (const Tensor* t : {&conv.weight, &conv.bias, &norm.weight, &norm.bias, &norm.running_mean,
                          &norm.running_var}) {
    if (!t->defined()) continue;
    now.emplace_back(t->storage(), t->storage()->version);
  }
  if (now == folded_from_) return;
  NoGrad off;
  DType dtype = conv.weight.dtype();
  Tensor scale = (norm.weight * rsqrt(norm.running_var + norm.options.epsilon)).to(dtype);
  folded_weight_ = conv.weight * scale.reshape({scale.size(0), 1, 1, 1});
  folded_weight_.storage()->parameter = true;
  Tensor mean = conv.bias.defined() ? norm.running_mean - conv.bias : norm.running_mean;
  folded_bias_ = (norm.bias - mean * scale).to(dtype);
  folded_from_ = std::move(now);
}

int fold_batch_norm(Module& model) {
  int count = 0;
  for (auto& [path, module] : model.named_modules()) {
    if (auto* block = dynamic_cast<ConvNorm*>(module)) {
      block->fold();
      ++count;
    }
  }
  return count;
}

}  // namespace strata
