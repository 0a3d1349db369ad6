// What a network loses without one unit: its accuracy, overall and by class, with the unit held at
// 0 (Morcos et al. 2018), beside the same for units drawn at random from the layer. A network that
// is trained spreads its work over many units, so a loss means something only beside what any unit
// costs.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tools/introspect/edit.h"

namespace strata::study {

struct Answers {
  double accuracy = 0;
  std::vector<double> classes;  // share right of each class; NaN for a class without an image
};
struct LayerAblation {
  Answers intact;
  std::map<int64_t, Answers> without;  // of every unit asked for or drawn
  std::vector<int64_t> random;         // the units drawn, ascending
};
// Scores of `model` on x with labels in [0, classes). `drawn` units (at most all) of the layer's
// `width` are the control, chosen by `seed`. Cost: a pass over x for each unit.
LayerAblation ablate_each(const introspect::Scores& model, const std::string& layer,
                          const std::vector<int64_t>& units, int64_t width, int64_t drawn,
                          const Tensor& x, const std::vector<int64_t>& labels, int64_t classes,
                          uint64_t seed);

}  // namespace strata::study
