#include "tests/tools/sample_run.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <random>
#include <sstream>
#include <vector>

#include "tools/report/sprite_sheet.h"

namespace strata::report {
namespace {

using nlohmann::json;

constexpr int kLayers = 6, kSize = 24, kUnits = 8, kPatches = 9;
constexpr int kLastStep = 2048;

struct Factor {
  std::string name, title;
  int level;  // 0: none
  std::vector<std::string> values;
  double peak;  // layer of the invented maximum
};

std::vector<Factor> factors(const SampleOptions& options) {
  if (options.classes_only) {
    return {{"class",
             options.label,
             0,
             {options.first_value, "1", "2", "3", "4", "5", "6", "7", "8", "9"},
             6.0}};
  }
  return {{"hue", "hue", 1, {"red", "amber", "lime", "green", "teal", "sky", "blue", "pink"}, 1.0},
          {"orientation", "orientation", 1, {"0°", "30°", "60°", "90°", "120°", "150°"}, 1.8},
          {"texture", "texture", 2, {"stripes", "right angles", "half angles", "weave"}, 3.0},
          {"outline", "outline", 3, {"disc", "square", "triangle", "cross"}, 3.9},
          {"part", "part", 4, {"mast", "keel", "roof", "wheel"}, 4.9},
          {"object", options.label, 5, {options.first_value, "house", "cart", "tower"}, 6.0}};
}

std::string layer_name(int layer) { return layer == 0 ? "pixels" : "conv" + std::to_string(layer); }

std::vector<int> steps() {
  std::vector<int> list{0};
  for (double step = 1; step <= kLastStep; step *= 1.4142) {
    const int whole = static_cast<int>(std::lround(step));
    if (whole != list.back()) list.push_back(whole);
  }
  if (list.back() != kLastStep) list.push_back(kLastStep);
  return list;
}

double rise(double step, double half) {
  return step <= 0 ? 0 : 1 / (1 + std::pow(half / step, 2.2));
}

// A bump over the layers that grows while "training" goes on; high peaks come late and stay to the
// end.
double accuracy(const Factor& factor, int layer, int step) {
  const double chance = 1.0 / static_cast<double>(factor.values.size());
  const double untrained = 0.45 * std::exp(-0.6 * layer) * (factor.peak < 2 ? 1.8 : 0.5);
  const double distance = layer - factor.peak, width = distance < 0        ? 1.3
                                                       : factor.peak > 3.5 ? 9
                                                                           : 1.7;
  const double learned = 0.995 * std::exp(-distance * distance / (width * width));
  const double share = layer == 0 ? 0 : rise(step, 6 * std::pow(2.6, factor.peak - 1));
  return chance + (1 - chance) * std::clamp(untrained * (1 - share) + learned * share, 0.0, 1.0);
}

// A coloured disc, square, triangle or cross on a dark ramp: enough to tell thumbnails apart.
std::vector<float> picture(int hue, int outline, std::mt19937& random) {
  std::uniform_real_distribution<float> uniform(0, 1);
  const float cx = kSize * (0.4f + 0.2f * uniform(random)),
              cy = kSize * (0.4f + 0.2f * uniform(random));
  const float r = kSize * (0.22f + 0.12f * uniform(random)), ramp = uniform(random);
  std::vector<float> pixels;
  for (int y = 0; y < kSize; ++y) {
    for (int x = 0; x < kSize; ++x) {
      const float dx = std::abs(x - cx), dy = std::abs(y - cy), low = y - cy;
      const bool inside = outline % 4 == 0   ? std::hypot(dx, dy) < r
                          : outline % 4 == 1 ? std::max(dx, dy) < r * 0.85f
                          : outline % 4 == 2 ? low > -r && low < r && dx < (low + r) * 0.5f
                                             : (dx < r / 3 && dy < r) || (dy < r / 3 && dx < r);
      const float stripe = 0.75f + 0.25f * std::sin(1.7f * static_cast<float>(x + y));
      for (int c = 0; c < 3; ++c) {
        const float phase = 6.2832f * (static_cast<float>(hue) / 8 - static_cast<float>(c) / 3);
        const float fill = (0.55f + 0.42f * std::cos(phase)) * stripe;
        const float ground = 0.16f + 0.2f * ramp * static_cast<float>(y) / kSize;
        pixels.push_back((inside ? fill : ground) + 0.05f * (uniform(random) - 0.5f));
      }
    }
  }
  return pixels;
}

std::vector<float> wave(float angle, float period, float sharpness, int size,
                        std::mt19937& random) {
  std::normal_distribution<float> noise(0, 1);
  std::vector<float> pixels;
  for (int y = 0; y < size; ++y) {
    for (int x = 0; x < size; ++x) {
      const float along =
          std::cos(angle) * static_cast<float>(x) + std::sin(angle) * static_cast<float>(y);
      for (int c = 0; c < 3; ++c) {
        const float tone = std::sin(6.2832f * along / period + static_cast<float>(c) * angle);
        pixels.push_back(0.5f + 0.4f * sharpness * tone + 0.18f * (1 - sharpness) * noise(random));
      }
    }
  }
  return pixels;
}

std::vector<float> blob(float cx, float cy, float width, float noise, std::mt19937& random) {
  std::uniform_real_distribution<float> uniform(0, 1);
  std::vector<float> map;
  for (int y = 0; y < kSize; ++y) {
    for (int x = 0; x < kSize; ++x) {
      const float d2 = (x - cx) * (x - cx) + (y - cy) * (y - cy);
      map.push_back(std::exp(-d2 / (width * width)) * (1 - noise) + noise * uniform(random));
    }
  }
  return map;
}

// The pictures and what is known of them.
struct Images {
  SpriteSheet sheet{kSize, kSize, 3};
  std::vector<json> factors;
};

Images images(const SampleOptions& options, std::mt19937& random) {
  Images made;
  const std::vector<Factor> all = factors(options);
  for (int i = 0; i < options.points; ++i) {
    json values;
    for (const Factor& factor : all) values[factor.name] = random() % factor.values.size();
    const int hue = values.value("hue", values.value("class", 0));
    const int outline = values.value("outline", values.value("class", 0));
    made.sheet.add(picture(hue, outline, random));
    made.factors.push_back(values);
  }
  return made;
}

json patch(const Images& images, int tile, double activation) {
  return {{"sprite", "images"},
          {"tile", tile},
          {"activation", activation},
          {"factors", images.factors[static_cast<std::size_t>(tile)]}};
}

// A unit's best patches while it learns: at first the random ones, then one after the other its
// own.
json unit_frames(const json& best, const json& random) {
  json frames = json::array();
  for (const int step : steps()) {
    const double share = rise(step, 60);
    json tiles = json::array(), activations = json::array(), control = json::array();
    for (std::size_t i = 0; i < best.size(); ++i) {
      const bool own = static_cast<double>(i) < share * static_cast<double>(best.size());
      tiles.push_back((own ? best : random)[i]["tile"]);
      activations.push_back(share * best[i]["activation"].get<double>() + 0.5);
    }
    for (const json& patch : random) control.push_back(share * patch["activation"].get<double>());
    frames.push_back({{"step", step},
                      {"sprite", "images"},
                      {"tiles", tiles},
                      {"activations", activations},
                      {"random", control}});
  }
  return frames;
}

// Every other unit detects the value it likes; the others are at chance.
json concept_of(const Factor& liked, std::size_t value, int unit) {
  const bool detects = unit % 2 == 0;
  json best = json::array();
  for (std::size_t i = 0; i < 4; ++i) {
    const double iou = detects && i == 0 ? 0.3125 : 0.05 - 0.01 * static_cast<double>(i);
    best.push_back({{"name", liked.name + " " + liked.values[(value + i) % liked.values.size()]},
                    {"iou", iou},
                    {"control", 0.03}});
  }
  return {{"best", best},
          {"chance", 0.0625},
          {"detects", detects},
          {"untrained", {{"name", "part mast"}, {"iou", 0.02}}}};
}

// Without a unit all classes lose a little, and the one that it likes loses `much`.
json answers(std::size_t classes, std::size_t liked, double much) {
  json list = json::array();
  double sum = 0;
  for (std::size_t i = 0; i < classes; ++i) {
    const double share = 0.94 - (i == liked % classes ? much : 0.002);
    list.push_back(share);
    sum += share;
  }
  return {{"accuracy", sum / static_cast<double>(classes)}, {"classes", list}};
}

json layer_ablation(std::size_t classes) {
  json intact = answers(classes, 0, 0.002), random = json::array();
  for (int i = 0; i < 5; ++i) {
    random.push_back(answers(classes, static_cast<std::size_t>(i), 0.004 * i));
    random.back()["unit"] = 6 * i;
  }
  intact["images"] = 1000;
  intact["random"] = random;
  return intact;
}

json units(const SampleOptions& options, const Images& images, SpriteSheet& optimal,
           std::mt19937& random) {
  const std::vector<Factor> all = factors(options);
  std::uniform_real_distribution<double> uniform(0, 1);
  json layers = json::array();
  for (int layer = 1; layer <= kLayers; ++layer) {
    const Factor& liked =
        all[std::min<std::size_t>(static_cast<std::size_t>(layer - 1), all.size() - 1)];
    json list = json::array();
    for (int unit = 0; unit < kUnits; ++unit) {
      json best = json::array(), chance = json::array();
      const auto value = static_cast<std::size_t>(unit) % liked.values.size();
      for (int i = 0; i < options.points && best.size() < kPatches; ++i) {
        if (images.factors[static_cast<std::size_t>(i)][liked.name] == value || i % 29 == unit) {
          best.push_back(patch(images, i, 4.5 - 0.2 * static_cast<double>(best.size())));
        }
      }
      for (int i = 0; i < kPatches; ++i) {
        chance.push_back(patch(images,
                               static_cast<int>(random() % static_cast<unsigned>(options.points)),
                               1.6 * uniform(random)));
      }
      const auto tile = optimal.add(wave(0.4f * static_cast<float>(unit),
                                         2.5f + static_cast<float>(layer), 0.9f, kSize, random));
      json made{{"unit", unit * 3},
                {"patches", best},
                {"random", chance},
                {"frames", unit_frames(best, chance)},
                {"ablation", answers(all.back().values.size(), value, 0.05 * unit)},
                {"optimal",
                 {{"sprite", "optimal"},
                  {"tile", tile},
                  {"activation", 6.1 + 0.1 * unit},
                  {"percentile", 99.9}}}};
      if (!options.classes_only) made["concept"] = concept_of(liked, value, unit);
      list.push_back(made);
    }
    json entry{{"layer", layer_name(layer)},
               {"of", 16 * layer},
               {"units", list},
               {"ablation", layer_ablation(all.back().values.size())}};
    if (options.classes_only) {
      entry["without_concepts"] = "this data set has no masks";
    } else {
      entry["concepts"] = {{"images", 400},     {"on_share", 0.02},
                           {"least_iou", 0.04}, {"least_gain", 1.5},
                           {"detectors", 0.5},  {"untrained_detectors", 0.03125}};
    }
    layers.push_back(entry);
  }
  return layers;
}

json attributions(const SampleOptions& options, const Images& images, SpriteSheet& maps,
                  std::mt19937& random) {
  const std::string label = factors(options).back().name;
  json list = json::array();
  for (int i = 0; i < std::min(8, options.points); ++i) {
    const auto& values = images.factors[static_cast<std::size_t>(i)];
    json drawn = json::array();
    const auto add = [&](const char* method, const json& layer, float width, float noise) {
      const auto trained = maps.add(blob(11, 12, width, noise, random));
      const auto control = maps.add(blob(20, 4, 14, 0.8f, random));
      drawn.push_back({{"method", method},
                       {"layer", layer},
                       {"sprite", "maps"},
                       {"tile", trained},
                       {"low", 0},
                       {"high", 1.25},
                       {"untrained", control},
                       {"inside", 0.72 - noise / 2},
                       {"area", 0.24}});
    };
    add("Saliency", nullptr, 5, 0.5f);
    add("SmoothGrad", nullptr, 6, 0.25f);
    for (int layer = 1; layer <= kLayers; ++layer) {
      add("Grad-CAM", layer_name(layer), 12 - static_cast<float>(layer),
          0.5f - 0.07f * static_cast<float>(layer));
    }
    list.push_back(
        {{"sprite", "images"},
         {"tile", i},
         {"label", values[label]},
         {"predicted", i == 3 ? json((values[label].get<int>() + 1) % 4) : values[label]},
         {"confidence", 0.93},
         {"factors", values},
         {"maps", drawn}});
  }
  return list;
}

// The last map growing out of the first.
json embedding_frames(const json& from, const json& to) {
  json frames = json::array();
  for (const int step : steps()) {
    json x = json::array(), y = json::array();
    const double share = rise(step, 560);
    for (std::size_t i = 0; i < to["x"].size(); ++i) {
      x.push_back((1 - share) * from["x"][i].get<double>() + share * to["x"][i].get<double>());
      y.push_back((1 - share) * from["y"][i].get<double>() + share * to["y"][i].get<double>());
    }
    frames.push_back({{"step", step}, {"x", x}, {"y", y}});
  }
  return frames;
}

json embedding(const SampleOptions& options, const Images& images, std::mt19937& random) {
  const std::vector<Factor> all = factors(options);
  std::normal_distribution<double> normal(0, 1);
  json columns = json::object(), maps = json::array();
  for (const Factor& factor : all) {
    for (const json& values : images.factors) columns[factor.name].push_back(values[factor.name]);
  }
  for (int layer = 0; layer <= kLayers; ++layer) {
    const Factor& shown = all[std::min<std::size_t>(
        static_cast<std::size_t>(std::max(0, layer - 1)), all.size() - 1)];
    json x = json::array(), y = json::array();
    for (const json& values : images.factors) {
      const double angle =
          6.2832 * values[shown.name].get<double>() / static_cast<double>(shown.values.size());
      const double radius = 3.0 * layer;
      x.push_back(radius * std::cos(angle) + 2.2 * normal(random));
      y.push_back(radius * std::sin(angle) + 2.2 * normal(random));
    }
    json map{{"layer", layer_name(layer)}, {"x", x}, {"y", y}, {"trustworthiness", 0.97}};
    if (layer == kLayers) map["frames"] = embedding_frames(maps[0], map);
    maps.push_back(map);
  }
  return {{"method", "t-SNE, perplexity 30"},
          {"count", options.points},
          {"sprite", "images"},
          {"first", 0},
          {"factors", columns},
          {"maps", maps}};
}

// A matrix that falls off from the diagonal.
json falling(double rate) {
  json rows = json::array();
  for (int i = 1; i <= kLayers; ++i) {
    json row = json::array();
    for (int j = 1; j <= kLayers; ++j) row.push_back(std::exp(-rate * std::abs(i - j)));
    rows.push_back(row);
  }
  return rows;
}

json similarity() {
  json names = json::array(), frames = json::array();
  for (int i = 1; i <= kLayers; ++i) names.push_back(layer_name(i));
  for (const int step : steps()) {
    frames.push_back({{"step", step}, {"matrix", falling(0.08 + 0.37 * rise(step, 100))}});
  }
  return {{"estimator", "debiased linear CKA"},
          {"examples", 2000},
          {"layers", names},
          {"matrix", falling(0.45)},
          {"untrained", falling(0.08)},
          {"frames", frames}};
}

json filters(SpriteSheet& sheet, std::mt19937& random) {
  constexpr int kFilters = 16;
  json frames = json::array();
  for (const int step : steps()) {
    const auto first = sheet.count();
    std::mt19937 same(3);  // the same noise in every frame, so that filters grow out of it
    for (int i = 0; i < kFilters; ++i) {
      const auto sharpness = static_cast<float>(rise(step, 30));
      sheet.add(wave(0.39f * static_cast<float>(i), 3.0f + static_cast<float>(i % 3), sharpness, 7,
                     same));
    }
    frames.push_back({{"step", step}, {"sprite", "filters"}, {"first", first}});
  }
  (void)random;
  const auto last = frames.back()["first"];
  return {{"layer", "conv1"},
          {"sprite", "filters"},
          {"first", last},
          {"count", kFilters},
          {"untrained", {{"sprite", "filters"}, {"first", 0}}},
          {"frames", frames}};
}

}  // namespace

json sample_config(const SampleOptions& options) {
  json layers = json::array(), list = json::array();
  for (int layer = 1; layer <= kLayers; ++layer) {
    layers.push_back({{"name", layer_name(layer)},
                      {"kind", "convolution 3x3"},
                      {"shape", {32 >> (layer / 2), 32 >> (layer / 2), 16 * layer}},
                      {"receptive_field", 3 + 5 * (layer - 1)}});
  }
  for (const Factor& factor : factors(options)) {
    list.push_back({{"name", factor.name},
                    {"title", factor.title},
                    {"level", factor.level ? json(factor.level) : json()},
                    {"values", factor.values},
                    {"chance", 1.0 / static_cast<double>(factor.values.size())},
                    {"is_label", factor.peak == 6.0}});
  }
  return {{"format", "strata-study 1"},
          {"title", "Synthetic sample, made by the tests and not by a network"},
          {"command",
           "strata study --data terrace --model convnet --epochs 8 --seed 7 --out runs/sample"},
          {"seed", 7},
          {"device", "cpu"},
          {"threads", 2},
          {"started", "2025-01-31T12:00:00Z"},
          {"versions", {{"strata", "0.1.0"}, {"compiler", "g++ 12.2.0"}}},
          {"data",
           {{"name", "terrace"},
            {"train", 20000},
            {"validation", 2000},
            {"test", 2000},
            {"image", {32, 32, 3}}}},
          {"model", {{"name", "convnet"}, {"parameters", 172484}, {"layers", layers}}},
          {"training",
           {{"epochs", 8}, {"batch", 128}, {"optimiser", "adamw"}, {"learning_rate", 0.002}}},
          {"factors", list}};
}

std::string sample_metrics(const SampleOptions& options) {
  std::ostringstream out;
  const std::vector<Factor> all = factors(options);
  const double chance = 1.0 / static_cast<double>(all.back().values.size());
  std::mt19937 random(5);
  std::normal_distribution<double> normal(0, 1);
  for (int step = 8; step <= kLastStep; step += 8) {
    const double done = rise(step, 500), noise = 0.03 * normal(random);
    out << json{{"kind", "train"},
                {"step", step},
                {"epoch", step / 256.0},
                {"loss", -std::log(chance) * (1 - 0.97 * done) + noise},
                {"accuracy", std::clamp(chance + (1 - chance) * done * 0.99 + noise, 0.0, 1.0)},
                {"learning_rate", 0.002 * (1 + std::cos(3.1416 * step / kLastStep)) / 2},
                {"seconds", 0.05 * step}}
               .dump()
        << "\n";
  }
  for (const int step : steps()) {
    const double done = rise(step, 560);
    out << json{{"kind", "validation"},
                {"step", step},
                {"epoch", step / 256.0},
                {"loss", -std::log(chance) * (1 - 0.95 * done)},
                {"accuracy", chance + (1 - chance) * 0.98 * done}}
               .dump()
        << "\n";
    for (int layer = 0; layer <= kLayers; ++layer) {
      const std::string name = layer_name(layer);
      for (const Factor& factor : all) {
        const auto probe = [&](const char* control, int at, double value) {
          out << json{{"kind", "probe"},
                      {"step", at},
                      {"layer", name},
                      {"factor", factor.name},
                      {"accuracy", value},
                      {"chance", 1.0 / static_cast<double>(factor.values.size())},
                      {"low", std::max(0.0, value - 0.02)},
                      {"high", std::min(1.0, value + 0.02)},
                      {"control", control}}
                     .dump()
              << "\n";
        };
        if (layer == 0) {
          if (step == 0) probe("pixels", 0, accuracy(factor, 0, 0));
          continue;
        }
        probe("trained", step, accuracy(factor, layer, step));
        if (step == kLastStep) {
          probe("shuffled", step, 1.0 / static_cast<double>(factor.values.size()) + 0.01);
        }
        if (step == 0) probe("untrained", 0, accuracy(factor, layer, 0));
      }
      if (layer == 0) continue;
      out << json{{"kind", "cka"},
                  {"step", step},
                  {"layer", name},
                  {"shuffled", 0.01},
                  {"cka_to_final",
                   0.55 - 0.07 * layer +
                       (0.45 + 0.07 * layer) *
                           (step == kLastStep ? 1 : rise(step, 10 * std::pow(2, layer)))}}
                 .dump()
          << "\n";
      out << json{{"kind", "layer"},
                  {"step", step},
                  {"layer", name},
                  {"sparsity", 0.4 + 0.06 * layer * rise(step, 90)},
                  {"effective_rank", 9 + 4 * layer - 2.5 * layer * rise(step, 150)},
                  {"weight_norm", 3 + layer + 2.0 * rise(step, 300)}}
                 .dump()
          << "\n";
    }
  }
  return out.str();
}

json sample_panels(const SampleOptions& options) {
  std::mt19937 random(11);
  Images pictures = images(options, random);
  SpriteSheet optimal(kSize, kSize, 3), maps(kSize, kSize, 1, "map"), weights(7, 7, 3);
  json panels;
  panels["units"] = units(options, pictures, optimal, random);
  panels["attributions"] = attributions(options, pictures, maps, random);
  panels["embedding"] = embedding(options, pictures, random);
  panels["similarity"] = similarity();
  panels["filters"] = filters(weights, random);
  panels["summary"] = {
      {"question", "Do deeper layers hold higher-level features?"},
      {"answer", "These numbers were invented to test this page: hue at conv1, object at conv6."},
      {"verdict", "synthetic"}};
  panels["findings"] = {{{"panel", "hierarchy"}, {"text", "The object reaches 93.0 % at conv6."}},
                        {{"panel", "training"}, {"text", "Test accuracy at the end: 94.1 %."}}};
  panels["cost"] = {
      {"seconds",
       {{"training", 141.0}, {"probes", 38.2}, {"optimal stimuli", 21.5}, {"t-SNE", 9.1}}},
      {"peak_bytes", 901775360},
      {"machine", "2 cores"}};
  json columns = json::object();
  for (const json& values : pictures.factors) {
    for (const auto& [factor, value] : values.items()) columns[factor].push_back(value);
  }
  panels["sprites"] = {{"images", pictures.sheet.to_json()},
                       {"optimal", optimal.to_json()},
                       {"maps", maps.to_json()},
                       {"filters", weights.to_json()}};
  panels["sprites"]["images"]["factors"] = columns;
  return panels;
}

void write_sample_run(const std::filesystem::path& folder, const SampleOptions& options) {
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "config.json") << sample_config(options).dump(1);
  std::ofstream(folder / "metrics.jsonl") << sample_metrics(options);
  std::ofstream(folder / "report.json") << sample_panels(options).dump();
}

}  // namespace strata::report
