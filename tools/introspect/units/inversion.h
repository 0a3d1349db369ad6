// What a layer keeps of an image: the image whose activation there is the same (Mahendran and
// Vedaldi 2015, "Understanding deep image representations by inverting them"),
//
//   min_x |phi(x) - phi_0|^2 / |phi_0|^2 + lambda TV(x),
//
// over the parametrisations of stimuli. TV is the mean absolute difference of neighbours (their
// beta = 1); the waves' 1/frequency scale is a prior beside it. What the layer does not keep comes
// out as the prior has it.
#pragma once

#include "tools/introspect/units/stimulus.h"

namespace strata::introspect {

struct InversionOptions {
  // Defaults that differ from those of stimuli: no jitter, as places count; nothing shrinks.
  StimulusOptions ascent = {
      .steps = 400, .jitter = 0, .total_variation = 0.1, .shrink = 0, .redirected_steps = 0};
};
struct Inversion {
  Tensor images;              // [N, H, W, C]: pixels in [0, 1]
  std::vector<double> error;  // |phi(x) - phi_0|^2 / |phi_0|^2 of each image
};
// `target`: phi_0, the activation of `layer` (its latest use), [N, ...]. `start`: optional images.
// Errors: a layer that the model does not show; a target of another shape than its activation.
Inversion invert_features(const Scores& model, const std::string& layer, const Tensor& target,
                          const StimulusSpace& space, const InversionOptions& options = {},
                          const Tensor& start = {});

}  // namespace strata::introspect
