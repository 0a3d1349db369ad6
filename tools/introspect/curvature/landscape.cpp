#include "tools/introspect/curvature/landscape.h"

#include "engine/autograd/autograd.h"
#include "engine/ops.h"

namespace strata::introspect {
namespace {

double loss_at(const Objective& objective, const Tensor& point, const Prepare& prepare) {
  assign(objective.parameters, point);
  if (prepare) prepare();
  return loss_value(objective);
}

std::vector<Tensor> tensors_of(const StateDict& state) {
  std::vector<Tensor> tensors;
  for (auto& [name, tensor] : state) tensors.push_back(tensor);
  return tensors;
}

}  // namespace

Tensor filter_normalised_direction(const std::vector<Tensor>& parameters, uint64_t seed) {
  NoGrad off;
  Generator generator(seed);
  std::vector<Tensor> parts;
  for (const Tensor& parameter : parameters) {
    Tensor w = parameter.detach();
    if (w.rank() < 2) {
      parts.push_back(zeros_like(w));
      continue;
    }
    Dims rest;
    for (int axis = 1; axis < w.rank(); ++axis) rest.push_back(axis);
    Tensor d = randn(w.shape(), 0, 1, w.dtype(), &generator);
    parts.push_back(d * (norm(w, rest, true) / norm(d, rest, true)));
  }
  return flatten_all(parts);
}

std::vector<double> loss_along(const Objective& objective, const Tensor& direction,
                               const std::vector<double>& steps, const Prepare& prepare) {
  NoGrad off;
  Restore restore(objective);
  Tensor start = flatten_all(objective.parameters);
  std::vector<double> losses;
  for (double step : steps) {
    restore.now();
    losses.push_back(loss_at(objective, start + step * direction, prepare));
  }
  return losses;
}

Tensor loss_over(const Objective& objective, const Tensor& first, const Tensor& second,
                 const std::vector<double>& a, const std::vector<double>& b,
                 const Prepare& prepare) {
  NoGrad off;
  Restore restore(objective);
  Tensor start = flatten_all(objective.parameters);
  std::vector<double> losses;
  for (double i : a) {
    for (double j : b) {
      restore.now();
      losses.push_back(loss_at(objective, start + i * first + j * second, prepare));
    }
  }
  return from_vector(losses, {static_cast<int64_t>(a.size()), static_cast<int64_t>(b.size())});
}

std::vector<double> loss_between(Module& module, const std::function<Tensor()>& loss,
                                 const StateDict& from, const StateDict& to,
                                 const std::vector<double>& steps, const Prepare& prepare) {
  NoGrad off;
  for (const StateDict* state : {&from, &to}) {
    for (const std::string& difference : module.differences(*state)) {
      fail("loss_between", Caller{}, "a state does not fit the module: {}", difference);
    }
  }
  StateDict own = module.state_dict();
  Restore restore(tensors_of(own));
  std::vector<double> losses;
  for (double step : steps) {
    for (auto& [name, tensor] : own) {
      const Tensor &a = from.at(name), &b = to.at(name);
      copy_(tensor, is_float(tensor.dtype()) ? (1 - step) * a.detach() + step * b.detach() : a);
    }
    if (prepare) prepare();
    losses.push_back(loss().item());
  }
  return losses;
}

}  // namespace strata::introspect
