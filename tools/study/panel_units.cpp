// Units: what excites them in the data while the network learns, at random, and at best; the
// concept they detect; and what the network loses without them.
#include <algorithm>
#include <cmath>

#include "engine/autograd/autograd.h"
#include "engine/data/terrace.h"
#include "engine/ops.h"
#include "tools/introspect/units/terrace_concepts.h"
#include "tools/study/panels.h"
#include "tools/study/unit_ablation.h"
#include "tools/study/unit_concepts.h"
#include "tools/study/unit_optima.h"
#include "tools/study/unit_views.h"

namespace strata::study {
namespace {

constexpr int64_t units_shown = 12;
constexpr int64_t images_dissected = 300;  // with their masks
constexpr int64_t images_ablated = 500, random_units = 8;

// Four significant digits: what is shown, at a third of the size.
double rounded(double value) {
  if (value == 0 || !std::isfinite(value)) return value;
  double scale = std::pow(10, 3 - std::floor(std::log10(std::abs(value))));
  return std::round(value * scale) / scale;
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

size_t add_tile(report::SpriteSheet& sheet, const Tensor& image) {
  Tensor x = image.contiguous();
  return sheet.add({x.data<float>(), static_cast<size_t>(x.numel())});
}

// One layer on its way into the panel.
struct LayerPart {
  LayerView view;  // of the trained network
  std::vector<int64_t> units;
  std::unique_ptr<PatchSheet> own;  // unless the layer sees whole images
  PatchSheet* sheet = nullptr;
  std::string sprite;
  std::vector<Json> rows, frames;  // a unit
};

std::map<std::string, LayerPart> parts_of(Study& study, const Batch& data, PatchSheet& images) {
  std::map<std::string, LayerPart> parts;
  auto views = look(*study.model, study.layers, data.images);
  Tensor sample = data.images.slice(0, 0, std::min<int64_t>(data.images.size(0), 16));
  for (const std::string& layer : study.layers) {
    LayerPart part;
    part.view = std::move(views.at(layer));
    part.units = units_of(part.view);
    auto field = introspect::receptive_field(
        [&](const Tensor& x) { return layer_output(*study.model, layer, x); }, sample);
    part.own = std::make_unique<PatchSheet>(data, *study.test, field);
    bool whole = part.own->whole_images();
    part.sheet = whole ? &images : part.own.get();
    part.sprite = whole ? "test images" : "patches " + layer;
    part.frames.assign(part.units.size(), Json::array());
    if (!part.units.empty()) parts.emplace(layer, std::move(part));
  }
  return parts;
}

// What excited a unit at a step, and what it answered then to the random patches.
Json frame_of(const LayerView& view, size_t unit, LayerPart& part) {
  Json tiles = Json::array(), activations = Json::array(), random = Json::array();
  for (auto& e : view.top.of(static_cast<int64_t>(unit))) {
    tiles.push_back(part.sheet->tile(e));
    activations.push_back(rounded(e.activation));
  }
  for (auto& answers : view.answers) random.push_back(rounded(answers[unit]));
  return {
      {"sprite", part.sprite}, {"tiles", tiles}, {"activations", activations}, {"random", random}};
}

void add_frames(const Study& study, const Monitor& monitor, const Batch& data,
                std::map<std::string, LayerPart>& parts) {
  auto model = study.untrained();
  model->eval();
  for (int64_t step : study.film()) {
    monitor.restore(*model, step);
    auto views = look(*model, study.layers, data.images);
    for (auto& [layer, part] : parts) {
      for (size_t i = 0; i < part.units.size(); ++i) {
        Json frame = frame_of(views.at(layer), static_cast<size_t>(part.units[i]), part);
        frame["step"] = step;
        part.frames[i].push_back(frame);
      }
    }
  }
}

Json patches_of(LayerPart& part, size_t unit, bool random) {
  Json patches = Json::array();
  auto& places = random ? part.view.places : part.view.top.of(static_cast<int64_t>(unit));
  for (size_t i = 0; i < places.size(); ++i) {
    double activation = random ? part.view.answers[i][unit] : places[i].activation;
    patches.push_back({{"sprite", part.sprite},
                       {"tile", part.sheet->tile(places[i])},
                       {"activation", rounded(activation)}});
  }
  return patches;
}

Json concept_json(const UnitConcepts& unit, const UnitConcepts& untrained) {
  Json best = Json::array();
  for (auto& score : unit.best) {
    best.push_back(
        {{"name", score.name}, {"iou", rounded(score.iou)}, {"control", rounded(score.control)}});
  }
  return {
      {"best", best},
      {"chance", rounded(unit.chance)},
      {"detects", unit.detects},
      {"untrained", {{"name", untrained.best[0].name}, {"iou", rounded(untrained.best[0].iou)}}}};
}

// Concepts of a layer's units beside those of the untrained network; or why there are none.
void add_concepts(Study& study, Layer& untrained, const std::string& layer, const Tensor& images,
                  const Tensor& masks, LayerPart& part, Json& entry) {
  if (!masks.defined()) {
    entry["without_concepts"] =
        "this data set has no masks that say where in an image a concept is";
    return;
  }
  NoGrad off;
  Tensor now = layer_output(*study.model, layer, images);
  if (now.rank() != 4) {
    entry["without_concepts"] = "its units answer to the image as a whole, not to places in it";
    return;
  }
  auto concepts = introspect::terrace_concepts();
  auto found = concepts_of_units(now, masks, concepts);
  auto before = concepts_of_units(layer_output(untrained, layer, images), masks, concepts);
  for (size_t i = 0; i < part.units.size(); ++i) {
    auto unit = static_cast<size_t>(part.units[i]);
    part.rows[i]["concept"] = concept_json(found[unit], before[unit]);
  }
  entry["concepts"] = {{"images", images.size(0)},
                       {"on_share", on_share},
                       {"least_iou", least_iou},
                       {"least_gain", least_gain},
                       {"detectors", share_of_detectors(found)},
                       {"untrained_detectors", share_of_detectors(before)}};
}

Json answers_json(const Answers& answers) {
  Json classes = Json::array();
  for (double share : answers.classes) classes.push_back(rounded(share));
  return {{"accuracy", rounded(answers.accuracy)}, {"classes", classes}};
}

void add_ablation(Study& study, const std::string& layer, const Batch& data, LayerPart& part,
                  Json& entry) {
  int64_t count = std::min(images_ablated, data.images.size(0));
  auto found = ablate_each([&](const Tensor& x) { return (*study.model)(x); }, layer, part.units,
                           part.view.top.units(), random_units, data.images.slice(0, 0, count),
                           data.labels.slice(0, 0, count).to_vector<int64_t>(),
                           study.test->classes(), study.options.seed);
  for (size_t i = 0; i < part.units.size(); ++i) {
    part.rows[i]["ablation"] = answers_json(found.without.at(part.units[i]));
  }
  Json random = Json::array();
  for (int64_t unit : found.random) {
    random.push_back(answers_json(found.without.at(unit)));
    random.back()["unit"] = unit;
  }
  entry["ablation"] = answers_json(found.intact);
  entry["ablation"]["images"] = count;
  entry["ablation"]["random"] = random;
}

void add_optima(Study& study, const std::string& layer, const Tensor& pixels,
                const introspect::StimulusSpace& space, report::SpriteSheet& sheet,
                LayerPart& part) {
  auto best = optima(*study.model, layer, part.view, part.units, pixels, space);
  for (size_t i = 0; i < part.units.size(); ++i) {
    double percentile = part.view.top.percentile(part.units[i], best[i].activation);
    part.rows[i]["optimal"] = {{"sprite", "optimal stimuli"},
                               {"tile", add_tile(sheet, best[i].image)},
                               {"activation", rounded(best[i].activation)},
                               {"percentile", rounded(100 * percentile)},
                               {"start", best[i].start}};
  }
}

}  // namespace

Json units_panel(Study& study, const Monitor& monitor, PatchSheet& images, Json& sprites) {
  study.model->eval();
  auto untrained = study.untrained();
  untrained->eval();
  const Dataset& test = *study.test;
  Batch data = test.head(images_shown);
  Tensor pixels = pixels_of(data.images, test);
  auto space =
      introspect::stimulus_space(pixels.slice(0, 0, 500), from_vector(test.mean, {test.channels}),
                                 from_vector(test.deviation, {test.channels}));
  auto terrace = dynamic_cast<const Terrace*>(&test);
  int64_t dissected = std::min(images_dissected, data.images.size(0));
  Tensor masks, marked = data.images.slice(0, 0, dissected);
  if (terrace) masks = introspect::terrace_masks(*terrace, 0, dissected);
  auto parts = parts_of(study, data, images);
  add_frames(study, monitor, data, parts);
  report::SpriteSheet optimal(static_cast<size_t>(test.height), static_cast<size_t>(test.width),
                              static_cast<size_t>(test.channels));
  Json panel = Json::array();
  for (const std::string& layer : study.layers) {
    auto found = parts.find(layer);
    if (found == parts.end()) continue;  // dead throughout
    LayerPart& part = found->second;
    Json entry{{"layer", layer}, {"of", part.view.top.units()}};
    for (size_t i = 0; i < part.units.size(); ++i) {
      auto unit = static_cast<size_t>(part.units[i]);
      part.rows.push_back({{"unit", unit},
                           {"patches", patches_of(part, unit, false)},
                           {"random", patches_of(part, unit, true)},
                           {"frames", part.frames[i]}});
    }
    add_optima(study, layer, pixels, space, optimal, part);
    add_concepts(study, *untrained, layer, marked, masks, part, entry);
    add_ablation(study, layer, data, part, entry);
    entry["units"] = part.rows;
    panel.push_back(entry);
    if (part.sheet != &images) sprites[part.sprite] = part.sheet->to_json();
  }
  if (optimal.count() > 0) sprites["optimal stimuli"] = optimal.to_json();
  return panel;
}

}  // namespace strata::study
