#include "tools/introspect/units/inversion.h"

#include "engine/autograd/autograd.h"
#include "engine/ops.h"

namespace strata::introspect {

Inversion invert_features(const Scores& model, const std::string& layer, const Tensor& target,
                          const StimulusSpace& space, const InversionOptions& options,
                          const Tensor& start) {
  int64_t n = target.size(0);
  Tensor wanted = target.detach().reshape({n, -1});
  Tensor energy;
  {
    NoGrad off;
    energy = sum(square(wanted), {1}) + 1e-30;
  }
  auto closeness = [&](const Tensor& input) {
    Capture capture({layer});
    model(input);
    Tensor activation = capture[layer];
    if (activation.shape() != target.shape()) {
      fail("invert_features", Caller{}, "the target {} does not have the shape of '{}', {}",
           describe(target), layer, describe(activation));
    }
    return -(sum(square(activation.reshape({n, -1}) - wanted), {1}) / energy);
  };
  Stimulus found = optimal_stimuli(closeness, space, n, options.ascent, start);
  Inversion result{found.images, {}};
  for (double value : found.activation) result.error.push_back(-value);
  return result;
}

}  // namespace strata::introspect
