// What a network's units answer to held-out images, layer by layer, in one pass: the places that
// excite each most, and places drawn at random for comparison.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "engine/nn/layer.h"
#include "tools/introspect/units/excitation.h"

namespace strata::study {

inline constexpr int patches_shown = 9;

struct LayerView {
  introspect::TopExcitations top{patches_shown};
  // Random places, the same for every network of this architecture: which image, where, and what
  // every unit answers there.
  std::vector<introspect::Excitation> places;
  std::vector<std::vector<float>> answers;
};
// images [N, H, W, C] as the model takes them.
std::map<std::string, LayerView> look(Layer& model, const std::vector<std::string>& layers,
                                      const Tensor& images);

// The activation of a layer for the images x.
Tensor layer_output(Layer& model, const std::string& layer, const Tensor& x);
// [N, C], tokens [N, T, C] and maps alike as [N, rows, columns, C].
Tensor as_map(const Tensor& activation);

}  // namespace strata::study
