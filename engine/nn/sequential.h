// Sequential: layers one after the other.
//   Sequential net;
//   net.push<Linear>("fc1", 784, 512);
//   net.push<ReLU>();  // called "1", its position
#pragma once

#include "engine/nn/layer.h"

namespace strata {

class Sequential : public Layer {
 public:
  std::string kind() const override { return fmt::format("Sequential({})", layers_.size()); }
  Tensor forward(const Tensor& x) override {
    Tensor value = x;
    for (Layer* layer : layers_) value = (*layer)(value);
    return value;
  }

  // Makes a layer at the end, under a name of its own or its position.
  template <class L, class... Args>
  L& push(const char* name, Args&&... args) {
    L& layer = add<L>(name, std::forward<Args>(args)...);
    layers_.push_back(&layer);
    return layer;
  }
  template <class L, class... Args>
  L& push(Args&&... args) {
    return push<L>(std::to_string(layers_.size()).c_str(), std::forward<Args>(args)...);
  }
  // Takes one that exists; the same layer may stand at several places.
  void push(std::shared_ptr<Layer> layer) {
    layers_.push_back(layer.get());
    add_child(std::to_string(layers_.size() - 1), std::move(layer));
  }

  size_t size() const { return layers_.size(); }
  Layer& operator[](size_t i) { return *layers_.at(i); }

 private:
  std::vector<Layer*> layers_;
};

}  // namespace strata
