#include "tools/inspect/attribution.h"

#include <algorithm>
#include <cmath>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "tools/introspect/attribution/cam.h"
#include "tools/introspect/attribution/target.h"
#include "tools/introspect/scores/localisation.h"
#include "tools/introspect/scores/panel.h"
#include "tools/introspect/scores/sanity.h"

namespace strata::inspect {
namespace {

using introspect::Scores;

// To the size of the image, where the values are a map.
Tensor at_image_size(const Tensor& map, const Request& request) {
  if (map.rank() != 3) return map;
  int64_t h = request.inputs.x.size(1), w = request.inputs.x.size(2);
  if (map.size(1) == h && map.size(2) == w) return map;
  return introspect::upsample_map(map, h, w);
}

std::string column_title(const Request& request, size_t i) {
  const Subject& s = request.subject;
  std::string title = request.inputs.names[i];
  if (request.inputs.labels[i] >= 0) title += ": " + s.class_name(request.inputs.labels[i]);
  return title;
}

draw::Panel map_panel(const Request& request, const Tensor& map, int64_t i) {
  if (!request.subject.reads_images()) {
    return {"", draw::Matrix{.values = map.select(0, i).unsqueeze(0),
                             .column_labels = request.inputs.tokens[static_cast<size_t>(i)],
                             .numbers = false}};
  }
  return {"", draw::HeatMap{.values = map.select(0, i),
                            .under = draw::to_picture(request.inputs.pixels.select(0, i)),
                            .smooth = false}};
}

Json numbers_of(const Request& request, const Tensor& probabilities, int64_t i) {
  const Subject& s = request.subject;
  auto n = static_cast<size_t>(i);
  return {{"input", request.inputs.names[n]},
          {"label",
           request.inputs.labels[n] < 0 ? Json() : Json(s.class_name(request.inputs.labels[n]))},
          {"target", s.class_name(request.target[n])},
          {"target_probability", probabilities.select(0, i).select(0, request.target[n]).item()}};
}

// The control of a method's maps: cascading randomisation of the trained network, or for methods
// too slow to be run once a layer their similarity to those of the untrained network.
introspect::Control control_of(const AttributionMethod& method, const Request& request,
                               const Tensor& map, const Tensor& untrained, Json* numbers) {
  if (!method.sanity) {
    introspect::Similarity s = introspect::similarity(map, untrained);
    (*numbers)["untrained"] = {{"rank_correlation", s.rank}, {"magnitudes", s.magnitude_rank}};
    return {fmt::format("untrained {:.2f} (magnitudes {:.2f})", s.rank, s.magnitude_rank),
            introspect::verdict_of(s)};
  }
  auto again = [&](const Scores& model, const Tensor&, const std::vector<int64_t>&) {
    return joined(explain(method, request, model).values, request, method.magnitude);
  };
  auto cascade = introspect::randomise(*request.subject.model, request.subject.scores(), again,
                                       request.inputs.x, request.target);
  Json steps = Json::array();
  for (auto& step : cascade.steps) {
    steps.push_back({{"layer", step.layer},
                     {"rank_correlation", step.similarity.rank},
                     {"magnitudes", step.similarity.magnitude_rank}});
    // Of images only.
    if (std::isfinite(step.similarity.structure)) steps.back()["ssim"] = step.similarity.structure;
  }
  (*numbers)["cascade"] = steps;
  auto alone = introspect::randomise(*request.subject.model, request.subject.scores(), again,
                                     request.inputs.x, request.target,
                                     {.order = introspect::Order::independent});
  Json each = Json::array();
  for (auto& step : alone.steps) {
    each.push_back({{"layer", step.layer}, {"rank_correlation", step.similarity.rank}});
  }
  (*numbers)["independent"] = each;
  return introspect::control_of(cascade);
}

// Scores against the true place of the object, where the data know it.
std::string localised(const Request& request, const Tensor& map, Json* numbers) {
  if (!request.inputs.object.defined()) return "";
  auto l = introspect::localisation(map, request.inputs.object);
  (*numbers)["localisation"] = {{"mass", l.mass},
                                {"area", l.area},
                                {"pointing", l.pointing},
                                {"rank", l.rank},
                                {"auc", l.auc}};
  return fmt::format(
      " Mass on the object {:.2f}, which covers {:.2f} of the image; pointing game {:.2f}.", l.mass,
      l.area, l.pointing);
}

// " at conv5", " of unit 3 of conv4", or nothing.
std::string place_of(const AttributionMethod& method, const Request& request) {
  if (method.needs_layer) return " at " + layer_of(request, true);
  if (!request.units.empty())
    return fmt::format(" of unit {} of {}", request.units[0], request.layer);
  return request.layer.empty() ? "" : " at " + request.layer;
}

// The map of the twin on random labels as a second control, told in words; nothing without a twin.
std::string twin_control(const AttributionMethod& method, const Request& request, const Tensor& map,
                         Json* numbers) {
  if (!request.random_labels) return "";
  Tensor twin = joined(explain(method, request, request.random_labels->scores()).values, request,
                       method.magnitude);
  auto control = introspect::control_of_shuffled_labels(introspect::similarity(map, twin));
  (*numbers)["random_labels"] = control.text();
  return "; " + control.text();
}

// The largest completeness gap, in a line, of methods that share out the score.
void tell_completeness(const Json& entries, Answer* answer) {
  double gap = -1;
  for (auto& entry : entries) {
    if (entry.contains("completeness_gap")) {
      gap = std::max(gap, std::abs(entry["completeness_gap"].get<double>()));
    }
  }
  if (gap < 0) return;
  answer->lines.push_back(fmt::format(
      "completeness: the attributions add up to the change of the score but for {:.2e} at most",
      gap));
}

// Rows of inputs, of their maps, and of the maps before training; the numbers of each input.
Json draw_rows(const Request& request, const Tensor& map, const Tensor& untrained,
               const Json& given, const introspect::Control& verdict, draw::Figure* figure) {
  Tensor probabilities = softmax(request.subject.scores()(request.inputs.x), 1);
  draw::Row inputs{{}, "input"}, rows[2] = {{{}, "trained"}, {{}, "untrained"}};
  Json entries = Json::array();
  for (int64_t i = 0; i < request.inputs.x.size(0); ++i) {
    auto n = static_cast<size_t>(i);
    Json entry = numbers_of(request, probabilities, i);
    if (given.is_array()) entry.update(given[n]);
    if (request.subject.reads_images()) {
      inputs.panels.push_back({column_title(request, n),
                               draw::Image{draw::to_picture(request.inputs.pixels.select(0, i))}});
    }
    draw::Panel panel = map_panel(request, map, i);
    panel.title = fmt::format("{}, {:.2f}", request.subject.class_name(request.target[n]),
                              entry["target_probability"].get<double>());
    introspect::Panel drawn(panel);
    drawn.set_control(verdict);
    rows[0].panels.push_back(drawn.drawn());
    rows[1].panels.push_back(map_panel(request, untrained, i));
    entries.push_back(entry);
  }
  if (!inputs.panels.empty()) figure->rows.push_back(inputs);
  for (auto& row : rows) figure->rows.push_back(row);
  return entries;
}

Answer answer(const AttributionMethod& method, const Request& request) {
  Explained trained = explain(method, request, request.subject.scores());
  Explained control = explain(method, request, request.subject.untrained_scores());
  Tensor values = joined(trained.values, request, method.magnitude);
  Tensor before = joined(control.values, request, method.magnitude);
  Json controls;
  introspect::Control verdict = control_of(method, request, values, before, &controls);
  std::string also = twin_control(method, request, values, &controls);
  controls["verdict"] = verdict.text();
  NoGrad off;
  Tensor map = at_image_size(values, request), untrained = at_image_size(before, request);
  Answer result;
  result.arrays = {{"attribution", trained.values}, {"map", map}, {"untrained", untrained}};
  Json entries = draw_rows(request, map, untrained, trained.numbers, verdict, &result.figure);
  tell_completeness(entries, &result);
  result.numbers = {{"inputs", entries}, {"control", controls}};
  result.figure.title =
      fmt::format("{}{}: {}", method.name, place_of(method, request), request.subject.name);
  result.figure.caption = fmt::format(
      "{}. {}. Target: {} class, with its probability. Below: the same of the network before "
      "training.{} Control: {}.",
      method.about, method.paper, request.target_from, localised(request, map, &result.numbers),
      verdict.text() + also);
  return result;
}

}  // namespace

Tensor joined(const Tensor& values, const Request& request, bool magnitude) {
  bool channels = values.rank() == (request.subject.reads_images() ? 4 : 3);
  if (!channels) return values;
  return magnitude ? max(abs(values), {values.rank() - 1}) : sum(values, {values.rank() - 1});
}

Explained explain(const AttributionMethod& method, const Request& request, const Scores& model) {
  // A unit of a layer in the place of a class: the mean of its map is explained.
  if (!request.units.empty() && !request.layer.empty() && !method.needs_layer) {
    Request unit = request;
    unit.target.assign(request.target.size(), request.units[0]);
    unit.layer.clear();
    unit.units.clear();
    return explain(method, unit, introspect::channels_of(model, request.layer));
  }
  bool inside = !request.layer.empty() && !method.needs_layer;
  bool embed = !request.subject.reads_images() && !method.needs_layer;
  if (!inside && !embed) return method.explain(request, model, request.inputs.x);
  std::string layer = inside ? request.layer : request.subject.model->stages().front();
  Tensor activation = introspect::activation_of(model, request.inputs.x, layer);
  return method.explain(request, introspect::from_layer(model, request.inputs.x, layer),
                        activation);
}

Method as_method(AttributionMethod attribution) {
  Method method{attribution.name,
                "attribution",
                attribution.about,
                attribution.paper,
                Reads::anything,
                false,
                {}};
  method.reads = attribution.needs_layer || attribution.images ? Reads::images : Reads::anything;
  method.needs_layer = attribution.needs_layer;
  method.run = [attribution = std::move(attribution)](const Request& request) {
    return answer(attribution, request);
  };
  return method;
}

}  // namespace strata::inspect
