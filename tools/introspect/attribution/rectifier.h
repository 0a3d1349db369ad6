// Guided backprop and deconvnet: the backward pass with another rule at every ReLU. What passes a
// ReLU of pre-activation z, given g from above:
//
//                  z > 0, g > 0   z > 0, g < 0   z <= 0, g > 0   z <= 0, g < 0
//   gradient            g              g               0               0
//   guided              g              0               0               0       (Springenberg 2015)
//   deconvnet           g              0               g               0       (Zeiler, Fergus
//   2013)
//
// Everything else propagates its gradient: a convolution its transpose, max pooling puts values
// back where its switches say. Both show what excites a unit, sharply; neither is a gradient of
// anything, and both are known to change little when higher layers are randomised (Adebayo et al.
// 2018): read them next to that control. Cost: one forward and one backward pass.
#pragma once

#include <string>
#include <vector>

#include "tools/introspect/edit.h"

namespace strata::introspect {

enum class Rectifier { gradient, guided, deconvnet };

// Signal at x, in its shape, for scores[n, target[n]] of each example (see target.h). Errors: a
// model in which no ReLU lies between x and the scores; targets that do not fit.
Tensor rectified_gradient(const Scores& model, const Tensor& x, const std::vector<int64_t>& target,
                          Rectifier rectifier);

struct UnitProjection {
  Tensor image;                 // x's shape
  std::vector<int64_t> places;  // where the unit was read, [N]: index into the flattened inner axes
  Tensor activation;            // its values there, [N]
};
// Projects one unit of a named activation [N, ..., C] (its latest use) back to x: the unit's value
// at one place, every other activation zero, sent down to the input (Zeiler and Fergus 2013,
// section 2.1). `places`: one for each example; empty: where the unit is strongest. Errors: no such
// activation, unit or place.
UnitProjection project_unit(const Scores& model, const Tensor& x, const std::string& layer,
                            int64_t unit, std::vector<int64_t> places = {},
                            Rectifier rectifier = Rectifier::deconvnet);

}  // namespace strata::introspect
