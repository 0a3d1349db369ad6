// Maps of pixels and layers, first-layer filters, and similarity between layers.
#include <algorithm>
#include <numeric>

#include "engine/autograd/autograd.h"
#include "engine/io/safetensors.h"
#include "engine/ops.h"
#include "tools/introspect/capture.h"
#include "tools/introspect/maps/align.h"
#include "tools/introspect/maps/neighbours.h"
#include "tools/introspect/maps/tsne.h"
#include "tools/introspect/representation/features.h"
#include "tools/study/panels.h"

namespace strata::study {
namespace {

constexpr int64_t points = 800, batch = 200, neighbours_kept = 8;

// Features of the first images of a layer, reduced to 50 principal components as is usual for
// t-SNE.
Tensor reduced(const Tensor& features) {
  auto components = introspect::principal_components(features, 50);
  return introspect::project(features, components, false);
}

// The nearest points of each in the layer's own space.
std::vector<std::vector<int64_t>> neighbours(const Tensor& x) {
  auto found = introspect::nearest_neighbours(x, neighbours_kept).index;
  std::vector<std::vector<int64_t>> result;
  for (auto at = found.begin(); at != found.end(); at += neighbours_kept) {
    result.emplace_back(at, at + neighbours_kept);
  }
  return result;
}

Json columns_of(const Tensor& map) {
  auto values = map.to_vector<double>();
  std::vector<double> across, up;
  auto rounded = [](double v) { return std::round(v * 100) / 100; };
  for (size_t i = 0; i < values.size(); i += 2) {
    across.push_back(rounded(values[i]));
    up.push_back(rounded(values[i + 1]));
  }
  return {{"x", across}, {"y", up}};
}

// The map of x. After another map of the same points it starts there and is turned to lie on it.
// That start is drawn together to a tenth of a unit first: from the full size, points that are no
// longer neighbours cannot pass each other, and the trustworthiness of later frames falls (.947 in
// place of .964 at the end of conv3 of a run of 624 steps; drawn together it is that of a map from
// scratch within .002). `whole`: with as many iterations as one from scratch, else fewer.
Tensor map_after(const Tensor& before, const Tensor& x, bool whole) {
  introspect::TsneOptions options;
  options.perplexity = std::min(30.0, static_cast<double>(x.size(0) - 1) / 3);
  if (!before.defined()) return introspect::tsne(x, options).map;
  if (!whole) options.iterations = 250, options.exaggerated = 60;
  double size = std::sqrt(mean(sum(square(before), {1})).item());
  Tensor start = before * (0.1 / std::max(size, 1e-12));
  return introspect::align(introspect::tsne(x, options, start).map, before);
}

Json entry_of(const Tensor& map, const Tensor& x) {
  Json entry = columns_of(map);
  entry["trustworthiness"] = std::round(introspect::trustworthiness(x, map) * 1e4) / 1e4;
  return entry;
}

std::map<std::string, Tensor> layer_features(Layer& model, const Study& study,
                                             const Tensor& images) {
  NoGrad off;
  std::map<std::string, std::vector<Tensor>> parts;
  for (int64_t first = 0; first < images.size(0); first += batch) {
    introspect::Capture capture(study.layers);
    model(images.slice(0, first, std::min(images.size(0), first + batch)));
    for (auto& layer : study.layers) {
      parts[layer].push_back(introspect::pooled_features(capture[layer], 4));
    }
  }
  std::map<std::string, Tensor> features;
  for (auto& [layer, pieces] : parts) features[layer] = reduced(concatenate(pieces));
  return features;
}

// A film of each layer's map, from the untrained network to the trained one, whose last frame is
// the map itself.
Json layer_maps(const Study& study, const Monitor& monitor, const Tensor& images) {
  struct Film {
    Tensor features, map;
    Json frames = Json::array();
  };
  std::map<std::string, Film> films;
  auto model = study.untrained();
  model->eval();
  auto steps = study.film();
  for (int64_t step : steps) {
    monitor.restore(*model, step);
    for (auto& [layer, x] : layer_features(*model, study, images)) {
      Film& film = films[layer];
      film.features = x;
      film.map = map_after(film.map, x, step == steps.back());
      film.frames.push_back(entry_of(film.map, x));
      film.frames.back()["step"] = step;
    }
  }
  Json maps = Json::array();
  for (const std::string& layer : study.layers) {
    const Film& film = films.at(layer);
    Json map = film.frames.back();
    map.erase("step");
    map["layer"] = layer;
    map["neighbours"] = neighbours(film.features);
    map["frames"] = film.frames;
    maps.push_back(map);
  }
  return maps;
}

}  // namespace

Tensor pixels_of(const Tensor& images, const Dataset& data) {
  NoGrad off;
  Tensor mean = from_vector(data.mean, {data.channels});
  Tensor deviation = from_vector(data.deviation, {data.channels});
  return clamp(images * deviation + mean, 0, 1);
}

Json factors_of(const Batch& batch, const Dataset& data, int64_t row) {
  Json factors = Json::object();
  for (size_t f = 0; f < data.factors.size(); ++f) {
    Tensor column = batch.factors.select(1, static_cast<int64_t>(f));
    factors[data.factors[f].name] = static_cast<int64_t>(column.select(0, row).item());
  }
  if (data.label_factor < 0) {
    factors[data.label_name] = static_cast<int64_t>(batch.labels.select(0, row).item());
  }
  return factors;
}

Json embedding_panel(Study& study, const Monitor& monitor, PatchSheet& images) {
  Batch data = study.test->head(points);
  int64_t count = data.images.size(0);
  // The first tiles of a fresh sheet: the page takes point i from tile first + i.
  size_t first = images.tile({0, 0, 0, 0});
  for (int64_t i = 1; i < count; ++i) images.tile({i, 0, 0, 0});
  Json factors = Json::object();
  for (size_t f = 0; f < study.test->factors.size(); ++f) {
    factors[study.test->factors[f].name] =
        data.factors.select(1, static_cast<int64_t>(f)).to_vector<int64_t>();
  }
  if (study.test->label_factor < 0) {
    factors[study.test->label_name] = data.labels.to_vector<int64_t>();
  }
  Tensor pixels = reduced(introspect::pooled_features(pixels_of(data.images, *study.test), 16));
  Json own = entry_of(map_after({}, pixels, true), pixels);
  own["layer"] = "pixels";
  own["neighbours"] = neighbours(pixels);
  Json maps = layer_maps(study, monitor, data.images);
  maps.insert(maps.begin(), own);
  return {{"method", "t-SNE, perplexity 30, on 50 principal components"},
          {"count", count},
          {"sprite", "test images"},
          {"first", first},
          {"factors", factors},
          {"maps", maps}};
}

Json similarity_panel(const Monitor& monitor, const std::vector<int64_t>& steps) {
  Json frames = Json::array();
  for (int64_t step : steps) {
    frames.push_back({{"step", step}, {"matrix", monitor.layer_similarity(step)}});
  }
  return {{"estimator", "debiased linear CKA"},
          {"examples", monitor.gram_examples()},
          {"layers", monitor.layers()},
          {"matrix", frames.back()["matrix"]},
          {"untrained", frames.front()["matrix"]},
          {"frames", frames}};
}

Json filters_panel(const Study& study, const Monitor& monitor, const std::vector<int64_t>& steps,
                   Json& sprites) {
  Tensor last = monitor.filters(steps.back());
  if (!last.defined()) return nullptr;  // the first layer is not one that sees pixels
  int64_t count = std::min<int64_t>(last.size(0), 64);
  report::SpriteSheet sheet(static_cast<size_t>(last.size(1)), static_cast<size_t>(last.size(2)),
                            static_cast<size_t>(last.size(3)));
  auto add = [&](const Tensor& filters) {
    size_t first = sheet.count();
    for (int64_t i = 0; i < count; ++i) {
      Tensor filter = filters.select(0, i).contiguous();
      auto reach = static_cast<float>(std::max(1e-12, max(abs(filter)).item()));
      sheet.add({filter.data<float>(), static_cast<size_t>(filter.numel())}, -reach, reach);
    }
    return first;
  };
  Json frames = Json::array();
  size_t untrained = 0, trained = 0;
  for (int64_t step : steps) {
    size_t first = add(monitor.filters(step));
    frames.push_back({{"step", step}, {"sprite", "filters"}, {"first", first}});
    if (step == 0) untrained = first;
    trained = first;
  }
  sprites["filters"] = sheet.to_json();
  return {{"layer", study.layers.front()},
          {"sprite", "filters"},
          {"scale", "each filter from minus to plus its own largest magnitude; zero is grey"},
          {"first", trained},
          {"count", count},
          {"untrained", {{"sprite", "filters"}, {"first", untrained}}},
          {"frames", frames}};
}

}  // namespace strata::study
