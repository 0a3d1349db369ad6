#include "tools/introspect/curvature/hessian.h"

#include "engine/autograd/autograd.h"
#include "engine/ops.h"

namespace strata::introspect {
namespace {

// The gradient with a graph of its own; undefined where the loss does not depend on a parameter.
std::vector<Tensor> gradient_with_graph(const Objective& objective) {
  EnableGrad on;
  Restore restore(objective.buffers);
  return grad(std::vector<Tensor>{objective.loss()}, objective.parameters, {},
              {.create_graph = true, .allow_unused = true});
}

// d <gradient, v> / d parameters. Parts of the gradient that are constant add nothing.
Tensor directional(const std::vector<Tensor>& gradients, const std::vector<Tensor>& parameters,
                   const Tensor& v) {
  EnableGrad on;
  std::vector<Tensor> directions = unflatten(v, parameters), outputs, seeds;
  for (size_t i = 0; i < gradients.size(); ++i) {
    if (!gradients[i].defined() || !gradients[i].requires_grad()) continue;
    outputs.push_back(gradients[i]);
    seeds.push_back(directions[i]);
  }
  if (outputs.empty()) return zeros_like(v);
  auto parts = grad(outputs, parameters, seeds, {.retain_graph = true, .allow_unused = true});
  for (size_t i = 0; i < parts.size(); ++i) {
    if (!parts[i].defined()) parts[i] = zeros_like(parameters[i]);
  }
  return flatten_all(parts);
}

}  // namespace

LinearMap hessian(const Objective& objective) {
  auto gradients = gradient_with_graph(objective);
  auto parameters = objective.parameters;
  return {element_count(parameters), parameters[0].dtype(),
          [=](const Tensor& v) { return directional(gradients, parameters, v); }};
}

LinearMap mean_hessian(const std::vector<Objective>& batches) {
  if (batches.empty()) fail("mean_hessian", Caller{}, "no batches were given");
  auto parameters = batches[0].parameters;
  return {element_count(parameters), parameters[0].dtype(), [=](const Tensor& v) {
            Tensor total = zeros_like(v);
            for (const Objective& batch : batches) {
              total = total + directional(gradient_with_graph(batch), parameters, v);
            }
            return total / static_cast<double>(batches.size());
          }};
}

}  // namespace strata::introspect
