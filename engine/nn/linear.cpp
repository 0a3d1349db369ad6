#include "engine/nn/linear.h"

#include "engine/nn/init.h"
#include "engine/ops/index.h"
#include "engine/ops/product.h"

namespace strata {

Linear::Linear(int64_t inputs, int64_t outputs, bool with_bias)
    : weight(add_parameter("weight", empty({outputs, inputs}))) {
  if (with_bias) bias = add_parameter("bias", empty({outputs}));
  init::default_(weight, bias);
}
std::string Linear::kind() const {
  return fmt::format("Linear({} -> {}{})", weight.size(1), weight.size(0),
                     bias.defined() ? "" : ", no bias");
}
Tensor Linear::forward(const Tensor& x) { return linear(x, weight, bias); }

Embedding::Embedding(int64_t count, int64_t width)
    : weight(add_parameter("weight", empty({count, width}))) {
  init::normal_(weight);
}
std::string Embedding::kind() const {
  return fmt::format("Embedding({} x {})", weight.size(0), weight.size(1));
}
Tensor Embedding::forward(const Tensor& index) { return embedding(weight, index); }

}  // namespace strata
