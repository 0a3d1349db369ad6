// What a stimulus is to excite: objectives over the named activations and the scores of a model,
// and their algebra (Olah et al. 2017; the objectives of Lucid).
//
//   auto edges = unit("conv2", {3});                             // one unit, at the centre
//   auto both = channel("conv4", {7}) + 0.5 * class_score({2});  // over all places; and a class
//   auto apart = unit("conv4", {7}) + 2.0 * diversity("conv2");  // several different answers
//
// An objective gives one number an image, [N], so that every image of a batch climbs its own. Where
// a list of channels or classes is asked for, image n takes entry n modulo its length.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tools/introspect/capture.h"
#include "tools/introspect/edit.h"

namespace strata::introspect {

// Where in an activation [N, H, W, C] or [N, T, C] an objective looks; activations [N, C] have one
// place. `everywhere` is the mean over all places.
struct Place {
  int64_t row = -1, column = -1;  // of a sequence: the position, and nothing
  bool all = false;
  static Place centre() { return {}; }
  static Place everywhere() { return {-1, -1, true}; }
};

class StimulusObjective {
 public:
  // [N] from the activations of `layers` and the scores of one pass.
  using Value = std::function<Tensor(const Capture& seen, const Tensor& scores)>;
  StimulusObjective(std::vector<std::string> layers, Value value)
      : layers_(std::move(layers)), value_(std::move(value)) {}

  const std::vector<std::string>& layers() const { return layers_; }
  Tensor operator()(const Capture& seen, const Tensor& scores) const {
    return value_(seen, scores);
  }

 private:
  std::vector<std::string> layers_;
  Value value_;
};
StimulusObjective operator+(const StimulusObjective& a, const StimulusObjective& b);
StimulusObjective operator-(const StimulusObjective& a, const StimulusObjective& b);
StimulusObjective operator*(double factor, const StimulusObjective& a);

// A channel of a layer at one place.
StimulusObjective unit(std::string layer, std::vector<int64_t> channels,
                       Place place = Place::centre());
// Its mean over all places.
StimulusObjective channel(std::string layer, std::vector<int64_t> channels);
// a . v max(cos(a, v), 0.1)^power for the activation a [C] at the place and the direction v [C], or
// [K, C] with one for each image: a power above 0 asks for the direction rather than for size.
StimulusObjective direction(std::string layer, Tensor directions, double power = 0,
                            Place place = Place::centre());
// A column of the scores [N, classes]: logits, not probabilities, which also rise when the others
// fall.
StimulusObjective class_score(std::vector<int64_t> classes);
// The mean square of a layer: whatever it sees, more of it (Mordvintsev et al. 2015, DeepDream).
StimulusObjective energy(std::string layer);
// 1 minus the mean cosine between the Gram matrix (channels x channels, over places) of an image
// and those of the others in its group of `group` consecutive images (0: the whole batch). Between
// 0 and 1 behind a ReLU; needs two images in a group. Weighed with a fifth of the unit's response
// and more it shows; with as much as the response it costs most of it.
StimulusObjective diversity(std::string layer, int64_t group = 0);

// What ascent climbs: inputs as the model takes them [N, ...] -> [N].
using Response = std::function<Tensor(const Tensor& input)>;
Response response_of(Scores model, StimulusObjective objective);

}  // namespace strata::introspect
