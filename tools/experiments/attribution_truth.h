// What experiment E11 measures: maps of attribution scored against where the evidence is known to
// be, because the images were generated.
#pragma once

#include <string>
#include <vector>

#include "engine/data/terrace.h"
#include "models/model.h"
#include "tools/experiments/experiment.h"
#include "tools/inspect/attribution.h"
#include "tools/introspect/units/excitation.h"
#include "tools/introspect/units/parametrisation.h"

namespace strata::experiments {

enum class Element { part_above, part_below, mark };
// Where an element of each image is, bool [N, 32, 32]. An image without it is an error.
Tensor element_mask(const Terrace& data, const std::vector<int64_t>& images, Element element,
                    Caller at = Caller::here());

// The blocks of side x side pixels, in the grid from the upper left corner, that hold a pixel of
// the mask: the mask as a method sees it that hides windows of this size.
Tensor blocks_of(const Tensor& mask, int64_t side);

// The images among the first `count` that every model classifies rightly, at most `most`.
std::vector<int64_t> rightly_classified(const std::vector<Model*>& models, const Terrace& data,
                                        int64_t count, int64_t most);

// A map of each image [N, H, W], signs kept, channels added up, for the label of each image.
// `layer` empty: of the input. An unknown method is an error that lists those there are.
Tensor signed_map(const std::string& method, const inspect::Request& request,
                  const introspect::Scores& model, const std::string& layer = {},
                  Caller at = Caller::here());

// Images with one factor changed and all else as it was, to the bit: what decides is what changed.
struct Counterfactuals {
  Tensor x, changed;             // [N, 32, 32, 3] as the model takes them
  Tensor mask;                   // bool [N, 32, 32]: pixels that may differ
  std::vector<int64_t> was, is;  // the factor's value
};
Counterfactuals counterfactuals(const Terrace& data, const std::vector<int64_t>& images,
                                int factor);
// Share of the images whose predicted class the change alters.
double flipped(const introspect::Scores& model, const Counterfactuals& pairs);

// Distance in pixels between where a square of light lies and where its map lies after it was
// averaged down to cells x cells and brought back to side x side, the largest over places (cells'
// corners, away from the edges): 0 where coarse maps are interpolated between centres.
double misalignment(int64_t side, int64_t cells);

// Ascent on units of a layer, against what data do to them (Olah et al. 2017), and whether the
// layers below see the images made so as they see real ones (Geirhos et al. 2023).
struct StimulusCheck {
  std::vector<int64_t> units;
  Tensor images;                                         // [U, H, W, C], pixels in [0, 1]
  std::vector<double> activation;                        // of the unit, anywhere in the map
  std::vector<double> percentile;                        // among the strongest responses of images
  std::vector<std::vector<introspect::Excitation>> top;  // the real images that excite it most
  // Over the layers below: Spearman's correlation of channel means of the stimulus with those of
  // the unit's top images; of top images among themselves; of top images with others.
  std::vector<std::string> layers;
  std::vector<double> stimulus_path, real_path, other_path;
};
struct StimulusCheckOptions {
  std::string layer;
  int64_t units = 6;  // spread over those that respond to anything
  int steps = 64, top = 9;
  uint64_t seed = 1;
};
StimulusCheck check_stimuli(Model& model, const Terrace& data, int64_t images,
                            const StimulusCheckOptions& options);

}  // namespace strata::experiments
