// How attribution methods are asked and shown, all alike: the map of each input, the same map of
// the untrained network as its control, the scores against the object's true place where it is
// known, and the verdict of cascading randomisation.
#pragma once

#include "tools/inspect/method.h"

namespace strata::inspect {

// What one method says: values [N, H, W, C] or a map [N, h, w] for images (of any resolution),
// [N, T, C] or [N, T] for sequences; numbers worth telling (a completeness gap), one an input.
struct Explained {
  Tensor values;
  Json numbers;
};
struct AttributionMethod {
  std::string name, about, paper;
  // `layer` is empty for methods of the input. x is the input, or the layer's activation when the
  // request names a layer and the method does not need one itself.
  std::function<Explained(const Request&, const introspect::Scores&, const Tensor& x)> explain;
  bool needs_layer = false;  // a map [N, H, W, C] that the method captures itself
  bool magnitude = false;    // channels join by their largest magnitude, not by their sum
  bool images = false;       // for images only, though no layer is needed
  bool sanity = true;        // cheap enough to be run once for each layer that is randomised
};

Method as_method(AttributionMethod attribution);
// The table.
std::vector<AttributionMethod> attributions();

// The method asked as the request says: at its layer, at the input, or for tokens at their
// embedding.
Explained explain(const AttributionMethod& method, const Request& request,
                  const introspect::Scores& model);
// One number a place of the input: channels joined, [N, H, W] (of the layer's size) or [N, T].
Tensor joined(const Tensor& values, const Request& request, bool magnitude);

}  // namespace strata::inspect
