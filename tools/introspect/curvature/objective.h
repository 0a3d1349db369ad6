// What curvature and influence look at: a loss as a function of a network's parameters. The
// parameters are read and written where they are, so any network will do; they appear to the
// methods as one flat vector [P], in their order, each in row-major order.
//
//   Objective objective{[&] { return cross_entropy(model(x), labels); }, model.parameters()};
#pragma once

#include <functional>
#include <vector>

#include "engine/nn/module.h"
#include "engine/tensor/tensor.h"

namespace strata::introspect {

// Every method leaves parameters and buffers with the bits it found.
struct Objective {
  // A scalar, attached to the parameters as they are at the call. The same at each call (a fixed
  // batch, no dropout).
  std::function<Tensor()> loss;
  // Leaves that require gradients, of one floating type.
  std::vector<Tensor> parameters;
  // What the loss changes in passing: running statistics of batch norms in training.
  std::vector<Tensor> buffers = {};
};
// The loss of all of a module's trainable parameters, with its buffers.
Objective objective_of(Module& module, std::function<Tensor()> loss);

// The losses of single examples, by index, over the same parameters: what per-example gradients
// and influence are made of.
using ExampleLoss = std::function<Tensor(int64_t example)>;

// Puts the values that `tensors` had back when it goes out of scope. What was not written since is
// left alone, so graphs that saved it stay valid.
class Restore {
 public:
  explicit Restore(std::vector<Tensor> tensors);
  explicit Restore(const Objective& objective);
  ~Restore();
  Restore(const Restore&) = delete;
  Restore& operator=(const Restore&) = delete;
  void now();

 private:
  std::vector<Tensor> tensors_, values_;
  std::vector<uint32_t> versions_;
};

int64_t element_count(const std::vector<Tensor>& tensors);
// [P], detached, of the tensors' type.
Tensor flatten_all(const std::vector<Tensor>& tensors);
// Views of `flat` in the shapes of `like`. A wrong length is an error.
std::vector<Tensor> unflatten(const Tensor& flat, const std::vector<Tensor>& like);
// Writes values (flat [P], or one tensor a parameter) into the parameters.
void assign(const std::vector<Tensor>& parameters, const Tensor& flat);
void assign(const std::vector<Tensor>& parameters, const std::vector<Tensor>& values);

// The loss, without a graph.
double loss_value(const Objective& objective);
// Its gradient [P]; 0 for parameters that it does not depend on.
Tensor gradient(const Objective& objective);
// The gradient [P] of one scalar.
Tensor flat_gradient(const Tensor& loss, const std::vector<Tensor>& parameters,
                     bool retain_graph = false);

}  // namespace strata::introspect
