// Sanity checks (Adebayo et al. 2018, "Sanity checks for saliency maps"): an explanation of a model
// must change when the model does. The weights of a trained network are drawn anew, layer by layer
// from the top, and each map is compared with that of the trained network; an edge detector, which
// ignores the model, keeps its map and is found out.
//
//   cascade      layers stay randomised as the next one below follows, down to all of them
//   independent  one layer at a time, the others as trained
//
// The other control trains the same network on shuffled labels: it fits them by heart, so that a
// map which shows what the network learned must look different on it.
//
// Verdict: by the rank correlation of signed values with the trained network's map, after the whole
// cascade: passes below .3 in magnitude, fails above .5, unclear between. The correlation of
// magnitudes stands beside it: a method that multiplies by the input keeps the input's outline.
//
// Cost: one run of the method for each layer.
#pragma once

#include <string>
#include <vector>

#include "engine/nn/module.h"
#include "tools/introspect/scores/explanation.h"
#include "tools/introspect/scores/map_similarity.h"

namespace strata::introspect {

inline constexpr double passes_below = 0.3, fails_above = 0.5;
Verdict verdict_of(const Similarity& similarity);

enum class Order { cascade, independent };
enum class Redraw {
  // Weights normal with deviation sqrt(2 / fan in) (He et al. 2015); of rank 1, scales become 1 and
  // shifts 0.
  initialisation,
  // The layer's own values in another order: their distribution is kept.
  permutation,
};

struct RandomisationOptions {
  Order order = Order::cascade;
  Redraw redraw = Redraw::initialisation;
  // Paths of modules from the top down, each with all parameters below it. By default every module
  // that has parameters of its own, the last declared first.
  std::vector<std::string> layers = {};
  uint64_t seed = 1;
};

struct Randomisation {
  struct Step {
    std::string layer;
    Similarity similarity;  // to the maps of the network as it was
  };
  Order order = Order::cascade;
  std::vector<Step> steps;
  // Of a cascade, after its last step. A single layer that does not matter proves nothing: the
  // verdict of independent randomisation is an error.
  Verdict verdict() const;
};

// `model` computes its scores with `network`, which should be in evaluation mode. Parameters and
// buffers are afterwards, also after an error, what they were to the bit; buffers are not drawn. A
// layer without parameters is an error that lists those with.
Randomisation randomise(Module& network, const Scores& model, const Method& method, const Tensor& x,
                        const std::vector<int64_t>& target,
                        const RandomisationOptions& options = {});

// The maps of a network and of its twin that was trained on shuffled labels.
Similarity shuffled_label_control(const Scores& trained, const Scores& shuffled,
                                  const Method& method, const Tensor& x,
                                  const std::vector<int64_t>& target);

}  // namespace strata::introspect
