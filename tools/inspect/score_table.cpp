#include "tools/inspect/score_table.h"

#include <algorithm>
#include <chrono>

#include "engine/autograd/autograd.h"
#include "engine/data/terrace.h"
#include "engine/ops.h"
#include "tools/inspect/attribution.h"
#include "tools/introspect/capture.h"
#include "tools/introspect/scores/localisation.h"
#include "tools/introspect/scores/road.h"
#include "tools/introspect/scores/sanity.h"

namespace strata::inspect {
namespace {

using introspect::Scores;

// Minutes an image, or too many passes: asked for by name only.
const std::vector<std::string> slow = {"ig-exact", "shapley"};

std::vector<std::string> map_layers(const Request& request) {
  NoGrad off;
  introspect::Capture capture(request.subject.model->stages());
  request.subject.scores()(request.inputs.x.slice(0, 0, 1));
  std::vector<std::string> layers;
  for (auto& name : capture.names()) {
    if (capture[name].rank() == 4) layers.push_back(name);
  }
  return layers;
}

ScoredMethod score(const AttributionMethod& method, Request request, const std::string& layer,
                   const ScoreOptions& options) {
  request.layer = layer == "pixels" ? "" : layer;
  ScoredMethod row;
  row.method = method.name;
  row.layer = layer;
  auto map_by = [&](const Scores& model) {
    return joined(explain(method, request, model).values, request, method.magnitude);
  };
  Request few = request;
  int64_t count = std::min(options.slow_images, request.inputs.x.size(0));
  few.inputs.x = request.inputs.x.slice(0, 0, count);
  few.target.resize(static_cast<size_t>(count));
  auto start = std::chrono::steady_clock::now();
  Tensor map = map_by(request.subject.scores());
  row.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  Tensor control = map_by(request.subject.untrained_scores());
  const Tensor& mask = request.inputs.object;
  auto found = introspect::localisation(map, mask);
  row.mass = found.mass, row.area = found.area, row.pointing = found.pointing, row.auc = found.auc;
  row.untrained_mass = introspect::localisation(control, mask).mass;
  row.road = mean(introspect::road(request.subject.scores(), few.inputs.x, few.target,
                                   map.slice(0, 0, count))
                      .gain)
                 .item();
  introspect::Similarity similarity;
  if (method.sanity) {
    auto again = [&](const Scores& model, const Tensor&, const std::vector<int64_t>&) {
      return joined(explain(method, few, model).values, few, method.magnitude);
    };
    auto cascade = introspect::randomise(*request.subject.model, request.subject.scores(), again,
                                         few.inputs.x, few.target);
    similarity = cascade.steps.back().similarity;
    auto alone =
        introspect::randomise(*request.subject.model, request.subject.scores(), again, few.inputs.x,
                              few.target, {.order = introspect::Order::independent});
    row.independent = 1;
    for (auto& step : alone.steps)
      row.independent = std::min(*row.independent, step.similarity.rank);
  } else {
    similarity = introspect::similarity(map, control);
  }
  if (options.random_labels) {
    row.random_labels = introspect::similarity(map, map_by(options.random_labels->scores())).rank;
  }
  row.cascade = similarity.rank;
  row.cascade_magnitude = similarity.magnitude_rank;
  row.verdict = introspect::name_of(introspect::verdict_of(similarity));
  return row;
}

// The layers a method is scored at: class activation maps at every map, gradient x input too (its
// layer variant), the others at the pixels.
std::vector<std::string> layers_for(const AttributionMethod& method,
                                    const std::vector<std::string>& maps) {
  if (method.needs_layer) return maps;
  std::vector<std::string> layers = {"pixels"};
  if (method.name == "gradient-x-input") layers.insert(layers.end(), maps.begin(), maps.end());
  return layers;
}

std::string measured(const std::optional<double>& value) {
  return value ? fmt::format("{:+.2f}", *value) : "-";
}

}  // namespace

std::vector<ScoredMethod> score_methods(const Subject& subject, const ScoreOptions& options) {
  if (!dynamic_cast<const Terrace*>(subject.test.get())) {
    fail("scores", Caller{},
         "{} was trained on {}, which comes without masks; the generated data set, terrace, has "
         "them",
         subject.name, subject.test ? subject.test->name : "tokens");
  }
  Request request{subject, read_inputs(subject, {}, options.images)};
  request.seed = options.seed;
  {
    NoGrad off;
    request.target = argmax(subject.scores()(request.inputs.x), 1).to_vector<int64_t>();
    request.target_from = "predicted";
  }
  auto maps = map_layers(request);
  auto listed = [](const std::vector<std::string>& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  std::vector<ScoredMethod> rows;
  for (auto& method : attributions()) {
    bool wanted =
        options.methods.empty() ? !listed(slow, method.name) : listed(options.methods, method.name);
    if (!wanted) continue;
    for (auto& layer : layers_for(method, maps)) {
      if (options.progress) options.progress(method.name + " at " + layer);
      rows.push_back(score(method, request, layer, options));
    }
  }
  return rows;
}

std::string to_markdown(const std::vector<ScoredMethod>& rows) {
  std::string text =
      "| method | layer | mass on the object | untrained | pointing | AUC | ROAD | cascade "
      "(magnitudes) | one layer | random labels | sanity | s |\n"
      "|---|---|---|---|---|---|---|---|---|---|---|---|\n";
  for (auto& r : rows) {
    text += fmt::format(
        "| {} | {} | {:.2f} | {:.2f} | {:.2f} | {:.2f} | {:+.2f} | {:+.2f} ({:+.2f}) | {} | {} | "
        "{} | {:.1f} |\n",
        r.method, r.layer, r.mass, r.untrained_mass, r.pointing, r.auc, r.road, r.cascade,
        r.cascade_magnitude, measured(r.independent), measured(r.random_labels), r.verdict,
        r.seconds);
  }
  return text;
}

Json to_json(const std::vector<ScoredMethod>& rows) {
  Json list = Json::array();
  for (auto& r : rows) {
    list.push_back({{"method", r.method},
                    {"layer", r.layer},
                    {"mass", r.mass},
                    {"area", r.area},
                    {"untrained_mass", r.untrained_mass},
                    {"pointing", r.pointing},
                    {"auc", r.auc},
                    {"road", r.road},
                    {"cascade", r.cascade},
                    {"cascade_magnitude", r.cascade_magnitude},
                    {"independent", r.independent ? Json(*r.independent) : Json()},
                    {"random_labels", r.random_labels ? Json(*r.random_labels) : Json()},
                    {"verdict", r.verdict},
                    {"seconds", r.seconds}});
  }
  return list;
}

}  // namespace strata::inspect
