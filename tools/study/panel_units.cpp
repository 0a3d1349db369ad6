// Units: what excites them in the data, at random, and at best.
#include <algorithm>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "tools/introspect/capture.h"
#include "tools/introspect/units/excitation.h"
#include "tools/introspect/units/stimulus.h"
#include "tools/study/panels.h"

namespace strata::study {
namespace {

using introspect::Capture;
using introspect::TopExcitations;

constexpr int patches_shown = 9;
constexpr int64_t units_shown = 12, images_used = 2000, batch = 250;

// What one pass over the held-out images leaves of a layer.
struct LayerView {
  TopExcitations top{patches_shown};
  introspect::ReceptiveField field;
  // Random places: which image, where, and what every unit answers there.
  std::vector<introspect::Excitation> places;
  std::vector<std::vector<float>> answers;
};

Tensor layer_output(Layer& model, const std::string& layer, const Tensor& x) {
  Capture capture({layer});
  model(x);
  return capture[layer];
}

// [N, C], tokens [N, T, C] and maps alike as [N, rows, columns, C].
Tensor as_map(const Tensor& activation) {
  Tensor x = activation.rank() == 2 ? activation.unsqueeze(1) : activation;
  return x.rank() == 3 ? x.unsqueeze(2) : x;
}

void read_random_places(LayerView& view, const Tensor& activation, int64_t first) {
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

std::map<std::string, LayerView> look(Study& study, const Batch& data) {
  NoGrad off;
  std::map<std::string, LayerView> views;
  int64_t count = data.images.size(0);
  Generator generator(41);
  for (const std::string& layer : study.layers) {
    LayerView& view = views[layer];
    Tensor sample = data.images.slice(0, 0, std::min<int64_t>(count, 16));
    view.field = introspect::receptive_field(
        [&](const Tensor& x) { return layer_output(*study.model, layer, x); }, sample);
    auto numbers =
        randint(0, 1 << 20, {patches_shown, 3}, DType::i64, &generator).to_vector<int64_t>();
    for (size_t i = 0; i < patches_shown; ++i) {
      view.places.push_back({numbers[3 * i] % count, numbers[3 * i + 1], numbers[3 * i + 2], 0});
    }
    view.answers.resize(patches_shown);
  }
  for (int64_t first = 0; first < count; first += batch) {
    Capture capture(study.layers);
    (*study.model)(data.images.slice(0, first, std::min(count, first + batch)));
    for (auto& [layer, view] : views) {
      view.top.add(capture[layer], first);
      read_random_places(view, capture[layer], first);
    }
  }
  return views;
}

// Spread evenly over the units that respond to anything: no hand picks.
std::vector<int64_t> units_of(const LayerView& view) {
  std::vector<int64_t> alive, chosen;
  for (int64_t u = 0; u < view.top.units(); ++u) {
    if (view.top.of(u).front().activation > view.top.of(u).back().activation ||
        view.top.of(u).front().activation > 0) {
      alive.push_back(u);
    }
  }
  int64_t count = std::min<int64_t>(units_shown, static_cast<int64_t>(alive.size()));
  for (int64_t i = 0; i < count; ++i) {
    chosen.push_back(alive[static_cast<size_t>(i * static_cast<int64_t>(alive.size()) / count)]);
  }
  return chosen;
}

Tensor cropped(const Tensor& pixels, const introspect::Excitation& e,
               const introspect::ReceptiveField& field) {
  auto w = field.window(e.row, e.column);
  return pixels.select(0, e.image).slice(0, w.top, w.bottom).slice(1, w.left, w.right).contiguous();
}

size_t add_tile(report::SpriteSheet& sheet, const Tensor& image) {
  Tensor x = image.contiguous();
  return sheet.add({x.data<float>(), static_cast<size_t>(x.numel())});
}

// Response of unit units[i] to image i: at the centre of the map while climbing (so that the image
// has one thing to show), anywhere in it when scored.
Tensor responses(const Tensor& activation, const std::vector<int64_t>& units, bool anywhere) {
  Tensor x = as_map(activation);
  x = anywhere ? max(x, {1, 2}) : x.select(1, x.size(1) / 2).select(1, x.size(2) / 2);
  Tensor index = from_vector(units, {static_cast<int64_t>(units.size()), 1});
  return gather(x, 1, index).squeeze(1);
}

struct Optimum {
  Tensor image;  // [H, W, C]
  double activation = 0;
  const char* start = "noise";
};

// Climbs from noise; a unit that ends below half of the data's responses (a dead ReLU has no
// gradient to climb) climbs again from its best image, faded, and the better of the two is kept.
std::vector<Optimum> optima(Study& study, const std::string& layer, const LayerView& view,
                            const std::vector<int64_t>& units, const Tensor& pixels,
                            const introspect::StimulusSpace& space) {
  auto climb = [&](const std::vector<int64_t>& who, const Tensor& start) {
    auto response = [&](const Tensor& x) {
      return responses(layer_output(*study.model, layer, x), who, false);
    };
    auto found =
        introspect::optimal_stimuli(response, space, static_cast<int64_t>(who.size()), {}, start);
    NoGrad off;
    Tensor input = (found.images - space.mean) / space.deviation;
    found.activation =
        responses(layer_output(*study.model, layer, input), who, true).to_vector<double>();
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

}  // namespace

Json units_panel(Study& study, Json& sprites) {
  bool training = study.model->training();
  study.model->eval();
  Batch data = study.test->head(images_used);
  Tensor pixels = pixels_of(data.images, *study.test);
  Tensor mean = from_vector(study.test->mean, {study.test->channels});
  Tensor deviation = from_vector(study.test->deviation, {study.test->channels});
  auto space = introspect::stimulus_space(pixels.slice(0, 0, 500), mean, deviation);
  auto views = look(study, data);
  auto channels = static_cast<size_t>(study.test->channels);
  auto height = static_cast<size_t>(study.test->height),
       width = static_cast<size_t>(study.test->width);
  report::SpriteSheet optimal(height, width, channels);
  Json panel = Json::array();
  for (const std::string& layer : study.layers) {
    const LayerView& view = views.at(layer);
    report::SpriteSheet patches(static_cast<size_t>(view.field.height),
                                static_cast<size_t>(view.field.width), channels);
    std::string sheet = "patches " + layer;
    auto patch = [&](const introspect::Excitation& e, double activation) {
      return Json{{"sprite", sheet},
                  {"tile", add_tile(patches, cropped(pixels, e, view.field))},
                  {"activation", activation},
                  {"factors", factors_of(data, *study.test, e.image)}};
    };
    auto units = units_of(view);
    if (units.empty()) continue;
    auto best = optima(study, layer, view, units, pixels, space);
    Json rows = Json::array();
    for (size_t i = 0; i < units.size(); ++i) {
      auto unit = static_cast<size_t>(units[i]);
      Json strongest = Json::array(), random = Json::array();
      for (auto& e : view.top.of(units[i])) strongest.push_back(patch(e, e.activation));
      for (size_t r = 0; r < view.places.size(); ++r) {
        random.push_back(patch(view.places[r], view.answers[r][unit]));
      }
      Json optimum{{"sprite", "optimal stimuli"},
                   {"tile", add_tile(optimal, best[i].image)},
                   {"activation", best[i].activation},
                   {"percentile", 100 * view.top.percentile(units[i], best[i].activation)},
                   {"start", best[i].start}};
      rows.push_back(
          {{"unit", units[i]}, {"patches", strongest}, {"random", random}, {"optimal", optimum}});
    }
    sprites[sheet] = patches.to_json();
    panel.push_back({{"layer", layer}, {"units", rows}, {"of", view.top.units()}});
  }
  if (optimal.count() > 0) sprites["optimal stimuli"] = optimal.to_json();
  study.model->train(training);
  return panel;
}

}  // namespace strata::study
