// Scores of explanations: how faithful, robust and simple the maps of several methods are.
#include <algorithm>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "tools/inspect/attribution.h"
#include "tools/introspect/scores/complexity.h"
#include "tools/introspect/scores/faithfulness.h"
#include "tools/introspect/scores/infidelity.h"
#include "tools/introspect/scores/road.h"
#include "tools/introspect/scores/robustness.h"

namespace strata::inspect {
namespace {

using introspect::Scores;
using Targets = std::vector<int64_t>;

// Those compared; the last ignores the model and is the control.
const std::vector<std::string> compared = {
    "gradient", "gradient-x-input", "smoothgrad", "integrated-gradients",
    "lrp",      "deeplift",         "gradcam"};

AttributionMethod attribution_named(const std::string& name) {
  for (auto& method : attributions()) {
    if (method.name == name) return method;
  }
  fail("inspect", Caller{}, "there is no attribution method '{}'", name);
}

struct Explainer {
  std::string name;
  introspect::Method explain;
};

std::vector<Explainer> explainers(const Request& r) {
  std::vector<Explainer> list;
  for (auto& name : compared) {
    AttributionMethod method = attribution_named(name);
    list.push_back(
        {name, [method, &r](const Scores& model, const Tensor& x, const Targets& target) {
           Request asked = r;
           asked.inputs.x = x;
           asked.target = target;
           return joined(explain(method, asked, model).values, asked, method.magnitude);
         }});
  }
  list.push_back({"noise (control)", [&r](const Scores&, const Tensor& x, const Targets&) {
                    Generator generator(r.seed);
                    return randn({x.size(0), x.size(1), x.size(2)}, 0, 1, x.dtype(), &generator);
                  }});
  return list;
}

// These say something of methods, not of an input: they take a sample of test images.
Request on_sample(const Request& given) {
  Request r = given;
  r.inputs = read_inputs(r.subject, {}, 32);
  NoGrad off;
  r.target = argmax(r.subject.scores()(r.inputs.x), 1).to_vector<int64_t>();
  return r;
}

Answer removal(const Request& given) {
  Request r = on_sample(given);
  Scores probability = introspect::probabilities_of(r.subject.scores());
  introspect::RemovalOptions options{.steps = r.steps > 0 ? static_cast<int>(r.steps) : 16};
  draw::LineChart deletion{.curves = {}, .x_label = "share removed", .y_label = "probability"};
  draw::LineChart insertion{.curves = {}, .x_label = "share put back", .y_label = "probability"};
  Json entries = Json::array();
  for (auto& e : explainers(r)) {
    Tensor map = e.explain(r.subject.scores(), r.inputs.x, r.target);
    NoGrad off;
    auto gone = introspect::deletion_curve(probability, r.inputs.x, r.target, map, options);
    auto back = introspect::insertion_curve(probability, r.inputs.x, r.target, map, options);
    deletion.curves.push_back({e.name, gone.shares, gone.mean_scores()});
    insertion.curves.push_back({e.name, back.shares, back.mean_scores()});
    entries.push_back({{"method", e.name},
                       {"deletion_area", mean(gone.area).item()},
                       {"insertion_area", mean(back.area).item()}});
  }
  Answer answer;
  answer.figure.rows.push_back({.panels = {{"deletion: lower is better", deletion},
                                           {"insertion: higher is better", insertion}}});
  answer.figure.panel_size = 260;
  answer.figure.title = fmt::format("Taking away what a method calls relevant: {}", r.subject.name);
  answer.figure.caption = fmt::format(
      "Mean probability of the target over {} inputs while the most relevant pixels are set to 0, "
      "or "
      "put back first. Noise is the control.",
      r.inputs.x.size(0));
  answer.numbers = {{"methods", entries}};
  return answer;
}

Answer table(const Request& given) {
  Request r = on_sample(given);
  std::vector<std::string> columns = {"deletion",    "insertion", "ROAD",
                                      "sensitivity", "entropy",   "Gini"};
  std::vector<std::string> rows;
  std::vector<double> values;
  Scores model = r.subject.scores(), probability = introspect::probabilities_of(model);
  introspect::SensitivityOptions sensitivity{
      .samples = r.samples > 0 ? static_cast<int>(r.samples) : 5, .seed = r.seed};
  for (auto& e : explainers(r)) {
    Tensor map = e.explain(model, r.inputs.x, r.target);
    auto moved = introspect::sensitivity(e.explain, model, r.inputs.x, r.target, sensitivity);
    NoGrad off;
    rows.push_back(e.name);
    for (const Tensor& score :
         {introspect::deletion_curve(probability, r.inputs.x, r.target, map).area,
          introspect::insertion_curve(probability, r.inputs.x, r.target, map).area,
          introspect::road(model, r.inputs.x, r.target, map).gain, moved.largest,
          introspect::entropy_complexity(map), introspect::gini_sparseness(map)}) {
      values.push_back(mean(score).item());
    }
  }
  Tensor scores = from_vector(
      values, {static_cast<int64_t>(rows.size()), static_cast<int64_t>(columns.size())});
  Answer answer;
  answer.figure.rows.push_back({.panels = {{"", draw::Matrix{.values = scores,
                                                             .row_labels = rows,
                                                             .column_labels = columns,
                                                             .coloured = false}}}});
  answer.figure.panel_size = 28.0 * static_cast<double>(rows.size());
  answer.figure.title = fmt::format("Scores of explanations: {}", r.subject.name);
  answer.figure.caption = fmt::format(
      "Means over {} inputs. Areas of deletion (lower is better) and insertion (higher), gain of "
      "ROAD "
      "(higher), largest change under noise of .02 (lower), entropy in nats (lower is simpler) and "
      "Gini "
      "(higher is sparser). Noise is the control: what ignores the model must score badly on the "
      "first "
      "three.",
      r.inputs.x.size(0));
  answer.arrays = {{"scores", scores}};
  answer.numbers = {{"methods", rows}, {"scores", columns}};
  return answer;
}

}  // namespace

std::vector<Method> explanation_methods() {
  return {
      {"removal", "scores", "Deletion and insertion curves of several attributions",
       "Petsiuk et al. 2018", Reads::images, false, removal},
      {"explanation-scores", "scores", "Faithfulness, robustness and simplicity of attributions",
       "Hedstrom et al. 2023", Reads::images, false, table}};
}

}  // namespace strata::inspect
