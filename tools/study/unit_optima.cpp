#include "tools/study/unit_optima.h"

#include "engine/autograd/autograd.h"
#include "engine/ops.h"

namespace strata::study {
namespace {

// Response of unit units[i] to image i: at the centre of the map while climbing (so that the image
// has one thing to show), anywhere in it when scored.
Tensor responses(const Tensor& activation, const std::vector<int64_t>& units, bool anywhere) {
  Tensor x = as_map(activation);
  x = anywhere ? max(x, {1, 2}) : x.select(1, x.size(1) / 2).select(1, x.size(2) / 2);
  Tensor index = from_vector(units, {static_cast<int64_t>(units.size()), 1});
  return gather(x, 1, index).squeeze(1);
}

}  // namespace

std::vector<Optimum> optima(Layer& model, const std::string& layer, const LayerView& view,
                            const std::vector<int64_t>& units, const Tensor& pixels,
                            const introspect::StimulusSpace& space) {
  auto climb = [&](const std::vector<int64_t>& who, const Tensor& start) {
    auto response = [&](const Tensor& x) {
      return responses(layer_output(model, layer, x), who, false);
    };
    auto found =
        introspect::optimal_stimuli(response, space, static_cast<int64_t>(who.size()), {}, start);
    NoGrad off;
    Tensor input = (found.images - space.mean) / space.deviation;
    found.activation = responses(layer_output(model, layer, input), who, true).to_vector<double>();
    return found;
  };
  auto first = climb(units, {});
  std::vector<Optimum> best;
  std::vector<int64_t> weak;
  std::vector<size_t> places;
  std::vector<Tensor> starts;
  for (size_t i = 0; i < units.size(); ++i) {
    best.push_back({first.images.select(0, static_cast<int64_t>(i)), first.activation[i]});
    if (view.top.percentile(units[i], first.activation[i]) >= 0.5) continue;
    weak.push_back(units[i]);
    places.push_back(i);
    starts.push_back(pixels.select(0, view.top.of(units[i])[0].image) * 0.6 + 0.2);
  }
  if (weak.empty()) return best;
  auto second = climb(weak, stack(starts));
  for (size_t i = 0; i < weak.size(); ++i) {
    if (second.activation[i] <= best[places[i]].activation) continue;
    best[places[i]] = {second.images.select(0, static_cast<int64_t>(i)), second.activation[i],
                       "faded best image"};
  }
  return best;
}

}  // namespace strata::study
