// The parts of a described network that are no layer of the engine: a list of layers, a residual
// around one, learned positions, and the ways between images, sequences and vectors.
#pragma once

#include "engine/nn/init.h"
#include "engine/nn/layer.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/join.h"
#include "engine/ops/reduce.h"
#include "engine/ops/view.h"

namespace strata::config {

// Layers one after the other, under names of their own.
class Chain : public Layer {
 public:
  std::string kind() const override { return fmt::format("Chain({})", layers_.size()); }
  Tensor forward(const Tensor& x) override {
    Tensor value = x;
    for (Layer* layer : layers_) value = (*layer)(value);
    return value;
  }
  void append(const std::string& name, std::shared_ptr<Layer> layer) {
    layers_.push_back(layer.get());
    add_child(name, std::move(layer));
  }

 private:
  std::vector<Layer*> layers_;
};

// x + the chain's result (He et al. 2016); x goes through `shortcut` where the shapes differ.
class Residual : public Chain {
 public:
  std::string kind() const override { return "Residual"; }
  Tensor forward(const Tensor& x) override {
    Tensor around = shortcut_ ? (*shortcut_)(x) : x;
    return around + Chain::forward(x);
  }
  void set_shortcut(std::shared_ptr<Layer> shortcut) {
    shortcut_ = shortcut.get();
    add_child("shortcut", std::move(shortcut));
  }

 private:
  Layer* shortcut_ = nullptr;
};

// The shortcut without parameters (He et al. 2016, option A): every `stride`-th pixel of [N, H, W,
// C], and `more` channels of zeros.
struct Subsample : Layer {
  int64_t stride, more;
  Subsample(int64_t stride, int64_t more) : stride(stride), more(more) {}
  std::string kind() const override { return fmt::format("Subsample({})", stride); }
  Tensor forward(const Tensor& x) override {
    Tensor value = x;
    if (stride > 1)
      value = value.slice(1, 0, value.size(1), stride).slice(2, 0, value.size(2), stride);
    return more > 0 ? pad(value, {0, 0, 0, 0}, {0, 0, 0, more}) : value;
  }
};

// [N, T, C] + a learned table [length, C], T up to `length`. Starts normal with deviation 0.02.
class Positions : public Layer {
 public:
  Positions(int64_t length, int64_t width)
      : weight(add_parameter("weight", empty({length, width}))) {
    init::normal_(weight, 0, 0.02);
  }
  std::string kind() const override { return fmt::format("Positions({})", weight.size(0)); }
  Tensor forward(const Tensor& x) override {
    if (x.size(1) > weight.size(0))
      fail("Positions", Caller{}, "has {} positions; got a sequence of {}", weight.size(0),
           x.size(1));
    return x + weight.slice(0, 0, x.size(1));
  }
  Tensor weight;
};

// [N, H, W, C] -> [N, H W, C], row by row.
struct ToSequence : Layer {
  std::string kind() const override { return "ToSequence"; }
  Tensor forward(const Tensor& x) override { return x.flatten(1, 2); }
};

// [N, T, C] -> [N, C]: the mean over time.
struct MeanOverTime : Layer {
  std::string kind() const override { return "MeanOverTime"; }
  Tensor forward(const Tensor& x) override { return mean(x, {1}); }
};

// [N, T, C] -> [N, C]: the last step.
struct LastStep : Layer {
  std::string kind() const override { return "LastStep"; }
  Tensor forward(const Tensor& x) override { return x.select(1, -1); }
};

}  // namespace strata::config
