#include "tools/inspect/embedding_page.h"

#include <algorithm>
#include <numeric>

#include "engine/autograd/autograd.h"
#include "engine/data/image_file.h"
#include "engine/ops.h"
#include "tools/introspect/attribution/target.h"
#include "tools/introspect/maps/neighbours.h"
#include "tools/introspect/maps/quality.h"
#include "tools/introspect/maps/tsne.h"
#include "tools/introspect/representation/features.h"
#include "tools/report/packed.h"
#include "tools/report/sprite_sheet.h"

namespace strata::inspect {
namespace {

using nlohmann::json;

constexpr int64_t batch = 256, kept_neighbours = 8, most_components = 50;
constexpr int64_t small_side = 16;  // of the thumbnails of many images
constexpr int64_t judged = 5000;    // points up to which the map's trustworthiness is worked out

struct Columns {
  Tensor trained, untrained;                  // [N, D]
  std::vector<std::vector<int64_t>> factors;  // as in the data set
  std::vector<int64_t> labels;
};

void append(std::vector<int64_t>& to, const Tensor& from) {
  const std::vector<int64_t> values = from.to_vector<int64_t>();
  to.insert(to.end(), values.begin(), values.end());
}

Columns read_columns(const Subject& subject, const Dataset& data, const std::string& layer,
                     int64_t total) {
  NoGrad off;
  Columns columns;
  columns.factors.resize(data.factors.size());
  std::vector<Tensor> trained, untrained;
  auto features = [&](const introspect::Scores& scores, const Tensor& x) {
    const Tensor a = introspect::activation_of(scores, x, layer);
    return introspect::pooled_features(a, 1).to(DType::f32).contiguous();
  };
  for (int64_t first = 0; first < total; first += batch) {
    std::vector<int64_t> rows(static_cast<size_t>(std::min(batch, total - first)));
    std::iota(rows.begin(), rows.end(), first);
    const Batch images = data.fill(rows);
    trained.push_back(features(subject.scores(), images.images));
    untrained.push_back(features(subject.untrained_scores(), images.images));
    append(columns.labels, images.labels);
    for (size_t f = 0; f < data.factors.size(); ++f)
      append(columns.factors[f], images.factors.select(1, static_cast<int64_t>(f)).contiguous());
  }
  columns.trained = concatenate(trained);
  columns.untrained = concatenate(untrained);
  return columns;
}

// What distances are taken of: for the cosine, directions.
Tensor directions_of(const Tensor& x, introspect::Metric metric) {
  if (metric != introspect::Metric::cosine) return x;
  return x / clamp(sqrt(sum(square(x), {1}, true)), 1e-12, 1e30);
}

json places_of(const Tensor& map) {
  const Tensor columns = map.to(DType::f32).transpose(0, 1).contiguous();
  const auto count = static_cast<size_t>(map.size(0));
  const float* at = columns.data<float>();
  return {{"x", report::pack(std::span(at, count))},
          {"y", report::pack(std::span(at + count, count))}};
}

json map_of(const Tensor& x, const std::string& method, bool judge) {
  const int64_t kept = std::min({most_components, x.size(1), x.size(0) - 1});
  const Tensor reduced = introspect::project(x, introspect::principal_components(x, kept), false);
  const double perplexity = std::min(30.0, static_cast<double>(x.size(0) - 1) / 3);
  const Tensor map = method == "pca" ? reduced.slice(1, 0, std::min<int64_t>(2, kept)).contiguous()
                                     : introspect::tsne(reduced, {.perplexity = perplexity}).map;
  if (map.size(1) < 2)
    fail("embed", Caller{}, "a layer of {} numbers has no map in two dimensions", x.size(1));
  json result = places_of(map);
  if (judge) result["trustworthiness"] = introspect::trustworthiness(x, map);
  return result;
}

// Of each row its nearest others, one after the other.
std::vector<int64_t> neighbours_of(const Tensor& x) {
  const auto found = introspect::nearest_neighbours(x, kept_neighbours).index;
  return {found.begin(), found.end()};
}

// The share of neighbours that are of the same class, in percent.
double shared(const std::vector<int64_t>& neighbours, const std::vector<int64_t>& labels) {
  double same = 0;
  for (size_t k = 0; k < neighbours.size(); ++k)
    same += labels[static_cast<size_t>(neighbours[k])] == labels[k / kept_neighbours];
  return 100 * same / static_cast<double>(neighbours.size());
}

json thumbnails_of(const Dataset& data, int64_t total, bool whole) {
  const int64_t height = whole ? data.height : small_side, width = whole ? data.width : small_side;
  report::SpriteSheet sheet(static_cast<size_t>(height), static_cast<size_t>(width),
                            static_cast<size_t>(data.channels));
  Picture picture{data.height, data.width, data.channels, {}};
  picture.pixels.resize(static_cast<size_t>(data.image_bytes()));
  std::vector<int64_t> factors(data.factors.size());
  std::vector<float> tile;
  for (int64_t i = 0; i < total; ++i) {
    int64_t label = 0;
    data.read(i, picture.pixels.data(), &label, factors.data());
    const Picture small = whole ? picture : resize(picture, height, width);
    tile.assign(small.pixels.begin(), small.pixels.end());
    sheet.add(tile, 0, 255);
  }
  return whole ? sheet.to_json() : sheet.to_json_pieces();
}

json factor_entry(const FactorInfo& info, bool is_label) {
  return {{"name", info.name},     {"level", info.level},     {"values", info.value_names},
          {"chance", info.chance}, {"ceiling", info.ceiling}, {"is_label", is_label}};
}

// The factors of config.json, and in *columns what each image has of them.
json factors_of(const Dataset& data, const Columns& read, json* columns) {
  json entries = json::array();
  for (size_t f = 0; f < data.factors.size(); ++f) {
    entries.push_back(factor_entry(data.factors[f], static_cast<int>(f) == data.label_factor));
    (*columns)[data.factors[f].name] = report::pack(read.factors[f]);
  }
  if (data.label_factor < 0) {
    FactorInfo label{
        .name = data.label_name, .values = data.classes(), .value_names = data.class_names};
    label.chance = 1.0 / static_cast<double>(std::max<int64_t>(1, data.classes()));
    entries.push_back(factor_entry(label, true));
    entries.back()["level"] = nullptr;
    (*columns)[data.label_name] = report::pack(read.labels);
  }
  return entries;
}

}  // namespace

json embedding_page(const Subject& subject, const MapOptions& options) {
  const Dataset& data = split_of(subject, options.embed.split);
  const std::string layer =
      options.embed.layer.empty() ? embedding_layer(subject) : options.embed.layer;
  const introspect::Metric metric = options.embed.index.metric;
  const int64_t asked = options.embed.count;
  const int64_t total = asked > 0 ? std::min(asked, data.size()) : data.size();
  if (metric == introspect::Metric::inner_product)
    fail("embed", Caller{},
         "the inner product is no distance that a map could show; use cosine or "
         "euclidean");
  if (total < 10) fail("embed", Caller{}, "{} images make no map; expected at least 10", total);

  const Columns columns = read_columns(subject, data, layer, total);
  const Tensor trained = directions_of(columns.trained, metric);
  json map = map_of(trained, options.method, total <= judged);
  map["layer"] = layer;
  const Tensor untrained = directions_of(columns.untrained, metric);
  const std::vector<int64_t> neighbours = neighbours_of(trained);
  map["neighbours"] = report::pack(neighbours);
  map["untrained"] = map_of(untrained, options.method, false);
  const std::string answer = fmt::format(
      "At {}, {:.1f} % of the {} nearest neighbours of an image share its class; in the untrained "
      "network {:.1f} %.",
      layer, shared(neighbours, columns.labels), kept_neighbours,
      shared(neighbours_of(untrained), columns.labels));

  const std::string measured = metric == introspect::Metric::cosine ? "cosine" : "Euclidean";
  json values;
  json config = {{"title", fmt::format("Map of {}", subject.name)},
                 {"command", options.command},
                 {"data", {{"name", data.name}}},
                 {"model", {{"name", subject.model_name}, {"layers", {{{"name", layer}}}}}},
                 {"factors", factors_of(data, columns, &values)}};
  json embedding = {
      {"method", fmt::format("{} of {}, by {} distance",
                             options.method == "pca" ? "the first two principal components"
                                                     : "t-SNE, perplexity 30,",
                             layer, measured)},
      {"items", fmt::format("{} images", options.embed.split)},
      {"count", total},
      {"sprite", "thumbnails"},
      {"first", 0},
      {"factors", values},
      {"maps", json::array({map})}};
  return {
      {"config", config},
      {"metrics", json::object()},
      {"panels",
       {{"summary",
         {{"question", fmt::format("Which {} images does {} find alike?", data.name, layer)},
          {"answer", answer},
          {"picture", "embedding"}}},
        {"embedding", embedding},
        {"sprites", {{"thumbnails", thumbnails_of(data, total, total <= options.whole_images)}}}}}};
}

}  // namespace strata::inspect
