#include "models/vision/mlp.h"

namespace strata {

Mlp::Mlp(const MlpOptions& options) : depth_(options.hidden.size()) {
  int64_t width = options.inputs;
  for (size_t i = 0; i < depth_; ++i) {
    std::string number = std::to_string(i + 1);
    layers_.push_back(&add<Linear>("fc" + number, width, options.hidden[i]));
    layers_.push_back(&add<ReLU>("relu" + number));
    if (options.dropout > 0) layers_.push_back(&add<Dropout>("dropout" + number, options.dropout));
    width = options.hidden[i];
  }
  layers_.push_back(&add<Linear>("head", width, options.classes));
}

Tensor Mlp::forward(const Tensor& x) {
  Tensor value = x.rank() > 2 ? x.flatten(1) : x;
  for (Layer* layer : layers_) value = (*layer)(value);
  return value;
}

std::vector<std::string> Mlp::stages() const {
  std::vector<std::string> names;
  for (size_t i = 1; i <= depth_; ++i) names.push_back("relu" + std::to_string(i));
  names.push_back("head");
  return names;
}

}  // namespace strata
