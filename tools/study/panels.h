// The panels of the report that are made after training, as tools/report/CONTRACT.md describes
// them. Each comes with its control.
#pragma once

#include <nlohmann/json.hpp>

#include "tools/report/sprite_sheet.h"
#include "tools/study/patch_sheet.h"
#include "tools/study/study.h"

namespace strata::study {

inline constexpr int64_t images_shown = 2000;  // test images that units are shown, at most

using Json = nlohmann::json;

// Weights of the first layer, trained, untrained and at each monitored step.
Json filters_panel(const Study& study, const Monitor& monitor, const std::vector<int64_t>& steps,
                   Json& sprites);
// For units spread evenly over each layer: the patches of held-out images that excite them most, at
// each step of the film, random patches beside, the optimal stimulus, the concept they detect, and
// what is lost without them. `images`: the sheet of whole test images.
Json units_panel(Study& study, const Monitor& monitor, PatchSheet& images, Json& sprites);
// Saliency, SmoothGrad and Grad-CAM of chosen test images, with the same of the untrained network.
Json attribution_panel(Study& study, Json& sprites);
// t-SNE of pixels and of each layer, at each step of the film. Comes before whatever else puts
// tiles on the sheet of whole test images.
Json embedding_panel(Study& study, const Monitor& monitor, PatchSheet& images);
// The last layer's embedding of test images, as files for TensorBoard's projector in RUN/events.
void write_embedding(Study& study);
// CKA between layers at each of the steps, from the untrained network to the trained one.
Json similarity_panel(const Monitor& monitor, const std::vector<int64_t>& steps);

// Pixels of images [N, H, W, C] in [0, 1], undoing the data set's normalisation.
Tensor pixels_of(const Tensor& images, const Dataset& data);
// Index of each factor's value for the images of a batch, by name (the class alone when that is
// all).
Json factors_of(const Batch& batch, const Dataset& data, int64_t row);

}  // namespace strata::study
