// The strongest patches of a unit beside what in them excites it: deconvnet projections (Zeiler and
// Fergus 2013, figure 2).
#pragma once

#include "tools/introspect/attribution/rectifier.h"
#include "tools/introspect/units/excitation.h"

namespace strata::introspect {

struct ProjectedPatches {
  std::vector<ReceptiveField::Window> windows;  // of the image, one for each excitation
  std::vector<Tensor> patches;                  // [h, w, C]: the input in the window
  std::vector<Tensor> projections;              // [h, w, C]: the unit's value there, sent down
};
// `inputs`: the data set as the model takes it, [M, H, W, C], or any rows of it that the
// excitations name. `field`: the receptive field of the layer.
ProjectedPatches project_patches(const Scores& model, const Tensor& inputs,
                                 const std::string& layer, int64_t unit,
                                 const std::vector<Excitation>& excitations,
                                 const ReceptiveField& field,
                                 Rectifier rectifier = Rectifier::deconvnet);

}  // namespace strata::introspect
