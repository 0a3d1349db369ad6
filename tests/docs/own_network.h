// A small residual network for images: x = relu(x + f(x)) twice, then the mean and a linear head.
#pragma once

#include "engine/nn.h"
#include "models/model.h"

namespace strata {

class OwnBlock : public Layer {
 public:
  explicit OwnBlock(int64_t width)
      : first_(add<ConvNorm>("first", width, width, 3, ConvNormOptions{.conv = {.padding = 1}})),
        second_(add<Conv2d>("second", width, width, 3, Conv2dOptions{.padding = 1})) {}
  Tensor forward(const Tensor& x) override {
    Tensor added = named("added", second_(first_(x)));  // shown as "block1.added"
    return relu(named("stream", x + added));
  }

 private:
  ConvNorm& first_;
  Conv2d& second_;
};

class OwnNetwork : public Model {
 public:
  explicit OwnNetwork(int64_t channels = 3, int64_t width = 16, int64_t classes = 10) {
    net_.push<ConvNorm>("stem", channels, width, 3, ConvNormOptions{.conv = {.padding = 1}});
    net_.push<OwnBlock>("block1", width);
    net_.push<MaxPool2d>("pool1");
    net_.push<OwnBlock>("block2", width);
    net_.push<GlobalAvgPool>("mean");
    net_.push<Linear>("head", width, classes);
  }
  Tensor forward(const Tensor& x) override { return net_(x); }
  std::vector<std::string> stages() const override {
    return {"net.stem", "net.block1", "net.block2", "net.head"};
  }

 private:
  Sequential& net_ = add<Sequential>("net");
};

}  // namespace strata
