// The image that excites a unit most, for some units of a layer at once.
#pragma once

#include <string>
#include <vector>

#include "tools/introspect/units/stimulus.h"
#include "tools/study/unit_views.h"

namespace strata::study {

struct Optimum {
  Tensor image;           // [H, W, C], pixels in [0, 1]
  double activation = 0;  // the unit's largest anywhere in it
  const char* start = "noise";
};
// Climbs from noise; a unit that ends below half of the data's responses (a dead ReLU has no
// gradient to climb) climbs again from its best image, faded, and the better of the two is kept.
// pixels [N, H, W, C] in [0, 1]: the images of the view.
std::vector<Optimum> optima(Layer& model, const std::string& layer, const LayerView& view,
                            const std::vector<int64_t>& units, const Tensor& pixels,
                            const introspect::StimulusSpace& space);

}  // namespace strata::study
