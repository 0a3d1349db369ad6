#include "tools/study/recipe.h"

namespace strata::study {

Recipe recipe_for(const std::string& data, const std::string& model) {
  Recipe recipe;
  if (model == "convnet") recipe.learning_rate = 4e-3;
  if (data.starts_with("terrace")) recipe.epochs = 6;
  // Clothes and photographs: few images for what varies in them, and classes that overlap. The
  // network would know its training images by heart, so it is held back more, and given more
  // passes.
  if (data.starts_with("fashion") || data.starts_with("cifar") || data.starts_with("folder")) {
    recipe.epochs = 30;
    recipe.weight_decay = 0.1;
    recipe.label_smoothing = 0.1;
  }
  return recipe;
}

}  // namespace strata::study
