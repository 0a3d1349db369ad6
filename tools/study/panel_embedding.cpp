// Maps of pixels and layers, first-layer filters, and similarity between layers.
#include <algorithm>
#include <numeric>

#include "engine/autograd/autograd.h"
#include "engine/io/safetensors.h"
#include "engine/ops.h"
#include "tools/introspect/capture.h"
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

Json map_of(const std::string& layer, const Tensor& features) {
  Tensor x = reduced(features);
  double perplexity = std::min(30.0, static_cast<double>(x.size(0) - 1) / 3);
  auto result = introspect::tsne(x, {.perplexity = perplexity});
  std::vector<float> across, up;
  auto values = result.map.to_vector<float>();
  auto rounded = [](float v) { return std::round(v * 1000) / 1000; };
  for (size_t i = 0; i < values.size(); i += 2) {
    across.push_back(rounded(values[i]));
    up.push_back(rounded(values[i + 1]));
  }
  return {{"layer", layer},
          {"x", across},
          {"y", up},
          {"trustworthiness", introspect::trustworthiness(x, result.map)},
          {"neighbours", neighbours(x)}};
}

std::map<std::string, Tensor> layer_features(Study& study, const Tensor& images) {
  NoGrad off;
  std::map<std::string, std::vector<Tensor>> parts;
  for (int64_t first = 0; first < images.size(0); first += batch) {
    introspect::Capture capture(study.layers);
    (*study.model)(images.slice(0, first, std::min(images.size(0), first + batch)));
    for (auto& layer : study.layers) {
      parts[layer].push_back(introspect::pooled_features(capture[layer], 4));
    }
  }
  std::map<std::string, Tensor> features;
  for (auto& [layer, pieces] : parts) features[layer] = concatenate(pieces);
  return features;
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

Json embedding_panel(Study& study, Json& sprites) {
  study.model->eval();
  Batch data = study.test->head(points);
  Tensor pixels = pixels_of(data.images, *study.test);
  report::SpriteSheet thumbnails(static_cast<size_t>(study.test->height),
                                 static_cast<size_t>(study.test->width),
                                 static_cast<size_t>(study.test->channels));
  for (int64_t i = 0; i < pixels.size(0); ++i) {
    Tensor image = pixels.select(0, i).contiguous();
    thumbnails.add({image.data<float>(), static_cast<size_t>(image.numel())});
  }
  sprites["thumbnails"] = thumbnails.to_json();
  Json factors = Json::object();
  for (size_t f = 0; f < study.test->factors.size(); ++f) {
    factors[study.test->factors[f].name] =
        data.factors.select(1, static_cast<int64_t>(f)).to_vector<int64_t>();
  }
  if (study.test->label_factor < 0) {
    factors[study.test->label_name] = data.labels.to_vector<int64_t>();
  }
  Json maps = Json::array();
  maps.push_back(map_of("pixels", introspect::pooled_features(pixels, 16)));
  auto features = layer_features(study, data.images);
  for (const std::string& layer : study.layers) maps.push_back(map_of(layer, features.at(layer)));
  return {{"method", "t-SNE, perplexity 30, on 50 principal components"},
          {"count", pixels.size(0)},
          {"sprite", "thumbnails"},
          {"first", 0},
          {"factors", factors},
          {"maps", maps}};
}

Json similarity_panel(const Monitor& monitor, int64_t last_step) {
  return {{"estimator", "debiased linear CKA"},
          {"examples", monitor.gram_examples()},
          {"layers", monitor.layers()},
          {"matrix", monitor.layer_similarity(last_step)},
          {"untrained", monitor.layer_similarity(0)}};
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
