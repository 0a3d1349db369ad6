#include "tools/study/unit_views.h"

#include <algorithm>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "tools/introspect/capture.h"

namespace strata::study {
namespace {

constexpr int64_t batch = 250;

void choose_places(LayerView& view, int64_t images, Generator& generator) {
  auto numbers =
      randint(0, 1 << 20, {patches_shown, 3}, DType::i64, &generator).to_vector<int64_t>();
  for (size_t i = 0; i < patches_shown; ++i) {
    view.places.push_back({numbers[3 * i] % images, numbers[3 * i + 1], numbers[3 * i + 2], 0});
  }
  view.answers.resize(patches_shown);
}

void read_places(LayerView& view, const Tensor& activation, int64_t first) {
  Tensor x = as_map(activation);
  for (size_t i = 0; i < view.places.size(); ++i) {
    auto& place = view.places[i];
    if (place.image < first || place.image >= first + x.size(0)) continue;
    place.row %= x.size(1);
    place.column %= x.size(2);
    view.answers[i] = x.select(0, place.image - first)
                          .select(0, place.row)
                          .select(0, place.column)
                          .to_vector<float>();
  }
}

}  // namespace

Tensor layer_output(Layer& model, const std::string& layer, const Tensor& x) {
  introspect::Capture capture({layer});
  model(x);
  return capture[layer];
}

Tensor as_map(const Tensor& activation) {
  Tensor x = activation.rank() == 2 ? activation.unsqueeze(1) : activation;
  return x.rank() == 3 ? x.unsqueeze(2) : x;
}

std::map<std::string, LayerView> look(Layer& model, const std::vector<std::string>& layers,
                                      const Tensor& images) {
  NoGrad off;
  std::map<std::string, LayerView> views;
  int64_t count = images.size(0);
  Generator generator(41);
  for (const std::string& layer : layers) choose_places(views[layer], count, generator);
  for (int64_t first = 0; first < count; first += batch) {
    introspect::Capture capture(layers);
    model(images.slice(0, first, std::min(count, first + batch)));
    for (auto& [layer, view] : views) {
      view.top.add(capture[layer], first);
      read_places(view, capture[layer], first);
    }
  }
  return views;
}

}  // namespace strata::study
