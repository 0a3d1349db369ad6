// Sharpness of a minimum: how far the loss rises nearby, and a form of it that rescaling the
// network's layers does not change (Dinh et al. 2017, "Sharp minima can generalize for deep nets":
// consecutive layers of a ReLU network times alpha and 1 / alpha are the same function with another
// Hessian).
//
// Nearby is measured in units of T, a positive diagonal, so that a step is T u:
//   none         T = 1
//   elementwise  T = |w| (Kwon et al. 2021, "ASAM")
//   filter       T = norm of w's row: of the weights of one output unit or filter (Li et al. 2018);
//                |w| for tensors of rank 1
// With the last two, T scales as the parameters do, and so does nothing else: T g and T H T are
// unchanged. A parameter that is 0 does not move. (ASAM adds 0.01 to T, which breaks that; we do
// not.)
#pragma once

#include "tools/introspect/curvature/hessian.h"

namespace strata::introspect {

enum class Scaling { none, elementwise, filter };
// T [P].
Tensor scaling_of(const std::vector<Tensor>& parameters, Scaling scaling);

// The map T A T, whose largest eigenvalue is the sharpness in units of T.
LinearMap scaled(const LinearMap& map, const Tensor& scale);

struct BallOptions {
  Scaling scaling = Scaling::none;
  double radius = 0.05;
  int steps = 5;
  uint64_t seed = 1;  // of the start where the gradient is 0
};
// max over |u| <= radius of L(w + T u) - L(w), by steps u <- radius g / |g| with g the gradient
// with respect to u (the generalised power method of Journee et al. 2010; it only rises where the
// loss is convex). The first step is SAM's (Foret et al. 2021); the largest rise met is returned,
// at least 0. Each step is a forward and a backward pass.
double rise_in_ball(const Objective& objective, const BallOptions& options = {});

struct Sharpness {
  double top = 0;            // largest eigenvalue of the Hessian
  double adaptive_top = 0;   // of T H T with T = |w|
  double rise = 0;           // rise_in_ball, radius as given
  double adaptive_rise = 0;  // the same with T = |w| and ten times the radius
};
// All four; `radius` is SAM's rho.
Sharpness sharpness(const Objective& objective, double radius = 0.05);

}  // namespace strata::introspect
