// Multilayer perceptron: fully connected layers with ReLU (Rumelhart, Hinton and Williams 1986).
//
//   layer          result       parameters            multiply-adds an example
//   (flatten)      [N, inputs]
//   fc1, relu1     [N, h1]      inputs h1 + h1        inputs h1
//   fc2, relu2     [N, h2]      h1 h2 + h2            h1 h2
//   head           [N, classes] h classes + classes   h classes
//
// 784-512-10, the default: 407,050 parameters, 0.41 M multiply-adds (0.81 MFLOP).
#pragma once

#include "engine/nn/activation.h"
#include "engine/nn/linear.h"
#include "engine/nn/sequential.h"
#include "models/model.h"

namespace strata {

struct MlpOptions {
  int64_t inputs = 784;
  std::vector<int64_t> hidden = {512};
  int64_t classes = 10;
  double dropout = 0;  // after each ReLU
};

// x [N, ...] with `inputs` elements an example -> logits [N, classes].
class Mlp : public Model {
 public:
  explicit Mlp(const MlpOptions& options = {});
  std::string kind() const override { return "Mlp"; }
  Tensor forward(const Tensor& x) override;
  // relu1, relu2, ..., head.
  std::vector<std::string> stages() const override;

 private:
  std::vector<Layer*> layers_;
  size_t depth_;
};

}  // namespace strata
