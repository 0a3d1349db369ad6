#include "tools/introspect/units/projections.h"

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "tools/introspect/capture.h"

namespace strata::introspect {
namespace {

// Width of the layer's map, 1 for layers without one.
int64_t map_width(const Scores& model, const Tensor& image, const std::string& layer) {
  NoGrad off;
  Capture capture({layer});
  model(image);
  Tensor activation = capture[layer];
  return activation.rank() == 4 ? activation.size(2) : 1;
}

Tensor cropped(const Tensor& image, const ReceptiveField::Window& window) {
  return image.slice(0, window.top, window.bottom).slice(1, window.left, window.right).contiguous();
}

}  // namespace

ProjectedPatches project_patches(const Scores& model, const Tensor& inputs,
                                 const std::string& layer, int64_t unit,
                                 const std::vector<Excitation>& excitations,
                                 const ReceptiveField& field, Rectifier rectifier) {
  ProjectedPatches result;
  if (excitations.empty()) return result;
  std::vector<int64_t> rows, places;
  int64_t width = map_width(model, inputs.slice(0, 0, 1), layer);
  for (const Excitation& e : excitations) {
    rows.push_back(e.image);
    places.push_back(e.row * width + e.column);
  }
  Tensor x = index_select(inputs, 0, from_vector(rows, {static_cast<int64_t>(rows.size())}));
  Tensor images = project_unit(model, x, layer, unit, places, rectifier).image;
  for (size_t i = 0; i < excitations.size(); ++i) {
    auto n = static_cast<int64_t>(i);
    auto window = field.window(excitations[i].row, excitations[i].column);
    result.windows.push_back(window);
    result.patches.push_back(cropped(x.select(0, n), window));
    result.projections.push_back(cropped(images.select(0, n), window));
  }
  return result;
}

}  // namespace strata::introspect
