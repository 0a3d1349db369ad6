// Recipe: how a network is trained where the command line does not say otherwise. Chosen once for a
// kind of data, not for a record.
#pragma once

#include <cstdint>
#include <string>

namespace strata::study {

struct Recipe {
  int64_t epochs = 12;
  double learning_rate = 3e-3;  // the highest of the cycle
  double weight_decay = 0.01;   // of AdamW
  double label_smoothing = 0;   // Szegedy et al. 2016
};

// By the names of the data ("fashion:DIR") and of the model.
Recipe recipe_for(const std::string& data, const std::string& model);

}  // namespace strata::study
