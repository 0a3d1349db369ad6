#include "tools/introspect/curvature/sharpness.h"

#include <algorithm>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"

namespace strata::introspect {

Tensor scaling_of(const std::vector<Tensor>& parameters, Scaling scaling) {
  NoGrad off;
  std::vector<Tensor> scales;
  for (const Tensor& parameter : parameters) {
    Tensor w = parameter.detach();
    if (scaling == Scaling::none) {
      scales.push_back(ones_like(w));
    } else if (scaling == Scaling::elementwise || w.rank() < 2) {
      scales.push_back(abs(w));
    } else {
      Dims rest;
      for (int axis = 1; axis < w.rank(); ++axis) rest.push_back(axis);
      scales.push_back(norm(w, rest, true).expand(w.shape()));
    }
  }
  return flatten_all(scales);
}

LinearMap scaled(const LinearMap& map, const Tensor& scale) {
  return {map.size, map.dtype, [=](const Tensor& v) { return scale * map(scale * v); }};
}

double rise_in_ball(const Objective& objective, const BallOptions& options) {
  NoGrad off;
  Restore restore(objective);
  const auto& parameters = objective.parameters;
  Tensor start = flatten_all(parameters), scale = scaling_of(parameters, options.scaling);
  double base = loss_value(objective), most = 0;
  Generator generator(options.seed);
  for (int step = 0; step < options.steps; ++step) {
    Tensor ascent = scale * gradient(objective);
    double size = norm(ascent).item();
    if (size == 0) {
      ascent = randn(start.shape(), 0, 1, start.dtype(), &generator);
      size = norm(ascent).item();
    }
    assign(parameters, start + scale * (ascent * (options.radius / size)));
    most = std::max(most, loss_value(objective) - base);
  }
  return most;
}

Sharpness sharpness(const Objective& objective, double radius) {
  LinearMap h = hessian(objective);
  Tensor scale = scaling_of(objective.parameters, Scaling::elementwise);
  Sharpness found;
  found.top = top_eigenpairs(h).values[0];
  found.adaptive_top = top_eigenpairs(scaled(h, scale)).values[0];
  found.rise = rise_in_ball(objective, {.radius = radius});
  found.adaptive_rise =
      rise_in_ball(objective, {.scaling = Scaling::elementwise, .radius = 10 * radius});
  return found;
}

}  // namespace strata::introspect
