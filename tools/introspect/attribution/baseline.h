// Baselines: what "nothing to see" is, for methods that compare an input with it (integrated
// gradients, occlusion, Shapley values). There is no right one: black hides what is black.
// Sturmfels et al. 2020, "Visualizing the impact of feature attribution baselines", compares them.
// All are of x's shape and type; images [N, H, W, C].
#pragma once

#include <cstdint>

#include "engine/tensor/tensor.h"

namespace strata::introspect {

// One value everywhere; 0 is the usual choice for inputs that were normalised.
Tensor constant_baseline(const Tensor& x, double value = 0);
// Each example's mean of each channel (the last axis).
Tensor mean_baseline(const Tensor& x);
// Each image smoothed by a Gaussian of this standard deviation in pixels (cut at 3, edges
// repeated).
Tensor blurred_baseline(const Tensor& x, double deviation);
// Uniform noise over each example's range; the same noise for every example.
Tensor noise_baseline(const Tensor& x, uint64_t seed = 1);

}  // namespace strata::introspect
