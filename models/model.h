// What every network here is: a layer that can name the activations worth looking at.
#pragma once

#include "engine/nn/layer.h"

namespace strata {

class Model : public Layer {
 public:
  // Paths of the activations from input to output that a study of the network compares, a subset of
  // what it shows (named_activations() in engine/nn/layer.h lists all of that). The logits are
  // last.
  virtual std::vector<std::string> stages() const = 0;
};

}  // namespace strata
