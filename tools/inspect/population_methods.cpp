// How units share the work: concepts and single units, in layers of the trained and the untrained
// network.
#include <algorithm>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "tools/inspect/layers.h"
#include "tools/introspect/attribution/target.h"
#include "tools/introspect/representation/features.h"
#include "tools/introspect/units/concepts.h"
#include "tools/introspect/units/dissection.h"
#include "tools/introspect/units/selectivity.h"
#include "tools/introspect/units/superposition.h"
#include "tools/introspect/units/terrace_concepts.h"

namespace strata::inspect {
namespace {

using namespace introspect;

Answer dissection(const Request& r) {
  const Terrace& data = terrace_of(r, "dissection");
  constexpr int64_t batch = 100;
  int64_t images = std::min<int64_t>(400, data.size());
  Sample sample = sample_of(r.subject, images);
  auto concepts = terrace_concepts();
  std::vector<Tensor> masks;
  for (int64_t first = 0; first < images; first += batch) {
    masks.push_back(terrace_masks(data, first, std::min(batch, images - first)));
  }
  auto stages = r.subject.model->stages();
  std::vector<std::string> layers;
  std::vector<std::vector<double>> table[2];
  Json units = Json::array();
  for (auto& layer : stages) {
    Tensor probe = introspect::activation_of(r.subject.scores(), sample.x.slice(0, 0, 1), layer);
    if (probe.rank() != 4) continue;
    layers.push_back(layer);
    for (bool trained : {true, false}) {
      Scores model = trained ? r.subject.scores() : r.subject.untrained_scores();
      Tensor a = activations(model, layer, sample.x);
      TopQuantiles quantiles(0.02, images * a.size(1) * a.size(2));
      quantiles.add(a);
      Dissection dissection(quantiles.thresholds(), concepts);
      for (size_t b = 0; b < masks.size(); ++b) {
        auto first = static_cast<int64_t>(b) * batch;
        dissection.add(a.slice(0, first, first + masks[b].size(0)), masks[b]);
      }
      LayerDissection found = dissection.result();
      table[trained ? 0 : 1].push_back(
          {found.detectors, found.mean_level, static_cast<double>(found.unique.size())});
      for (size_t u = 0; trained && u < found.units.size(); ++u) {
        auto& best = found.units[u];
        units.push_back({{"layer", layer},
                         {"unit", u},
                         {"concept", concepts[static_cast<size_t>(best.concept_index)].name},
                         {"level", concepts[static_cast<size_t>(best.concept_index)].level},
                         {"iou", best.iou}});
      }
    }
  }
  Answer answer = two_matrices(matrix_of(table[0]), matrix_of(table[1]), layers,
                               {"detectors", "mean level", "concepts"}, "", false);
  answer.figure.title = fmt::format("Network dissection: {}", r.subject.name);
  answer.figure.caption = fmt::format(
      "Share of a layer's units that detect a concept (IoU above .04 with its masks over {} "
      "images, the "
      "unit on in its top 2 % of places), the mean level of these concepts, and how many "
      "different "
      "ones there are.",
      images);
  answer.numbers = {{"layers", layers}, {"units", units}};
  return answer;
}

Answer selectivity_of_units(const Request& r) {
  std::string layer = layer_of(r, false);
  Sample sample = sample_of(r.subject, 1000);
  auto classes = r.subject.test->classes();
  Scores models[2] = {r.subject.scores(), r.subject.untrained_scores()};
  Answer answer;
  draw::LineChart chart{
      .curves = {}, .x_label = "units, most selective first", .y_label = "class selectivity"};
  draw::LineChart roc{.curves = {}, .x_label = "class", .y_label = "area under ROC"};
  Json numbers;
  for (int which : {0, 1}) {
    const char* name = which == 0 ? "trained" : "before training";
    Tensor a = relu(activations(models[which], layer, sample.x));
    auto values = class_selectivity(a, sample.labels, classes);
    auto sorted = values;
    std::sort(sorted.rbegin(), sorted.rend());
    draw::Curve curve{name, {}, sorted};
    for (size_t i = 0; i < sorted.size(); ++i) curve.x.push_back(static_cast<double>(i));
    chart.curves.push_back(curve);
    Tensor flat = a.rank() == 4 ? max(a, {1, 2}) : a;
    int64_t train = 2 * sample.size() / 3, n = sample.size();
    auto pairs = unit_versus_population(
        flat.slice(0, 0, train).contiguous(), part(sample.labels, 0, train),
        flat.slice(0, train, n).contiguous(), part(sample.labels, train, n), classes);
    draw::Curve single{fmt::format("best unit, {}", name), {}, {}},
        all{fmt::format("all units, {}", name), {}, {}};
    for (size_t c = 0; c < pairs.size(); ++c) {
      single.x.push_back(static_cast<double>(c)), all.x.push_back(static_cast<double>(c));
      single.y.push_back(pairs[c].unit_area), all.y.push_back(pairs[c].population_area);
    }
    roc.curves.push_back(all);
    roc.curves.push_back(single);
    numbers[name] = {{"selectivity", values}, {"best_unit", single.y}, {"population", all.y}};
  }
  answer.figure.rows.push_back(
      {.panels = {{"selectivity of single units", chart}, {"one unit against all of them", roc}}});
  answer.figure.title =
      fmt::format("Do single units stand for classes? {} of {}", layer, r.subject.name);
  answer.figure.caption =
      "Class selectivity (1: answers to one class only), and how well the best unit "
      "and a linear probe of all units tell each class on held-out images.";
  answer.numbers = numbers;
  return answer;
}

Answer ablation(const Request& r) {
  std::string layer = layer_of(r, false);
  Sample sample = sample_of(r.subject, 500);
  auto curves = [&](const Scores& model, const std::string& suffix) {
    Tensor a = relu(activations(model, layer, sample.x));
    auto units = a.size(-1);
    std::vector<int64_t> counts;
    for (int64_t i = 0; i <= 8; ++i) counts.push_back(i * units / 8);
    auto curve = [&](const char* name, const std::vector<int64_t>& order) {
      auto found = ablation_curve(model, layer, sample.x, sample.labels, order, counts);
      std::vector<double> x(found.ablated.begin(), found.ablated.end());
      return draw::Curve{name + suffix, x, found.accuracy};
    };
    return std::vector<draw::Curve>{
        curve("most selective first",
              by_falling(class_selectivity(a, sample.labels, r.subject.test->classes()))),
        curve("largest first", by_falling(unit_magnitudes(a))),
        curve("at random", shuffled_units(units, r.seed))};
  };
  auto trained = curves(r.subject.scores(), ""),
       control = curves(r.subject.untrained_scores(), ", untrained");
  Answer answer;
  draw::LineChart chart{.curves = trained, .x_label = "units switched off", .y_label = "accuracy"};
  chart.curves.push_back(control.back());
  answer.figure.rows.push_back({.panels = {{layer, chart}}});
  answer.figure.panel_size = 260;
  answer.figure.title = fmt::format("Accuracy as units are switched off: {}", r.subject.name);
  answer.figure.caption =
      fmt::format("{} test images; units of {} held at 0.", sample.size(), layer);
  for (auto& c : chart.curves) answer.numbers[c.name] = {{"units", c.x}, {"accuracy", c.y}};
  return answer;
}

// Does the class depend on a factor's value, at each layer?
Answer concepts(const Request& r) {
  if (r.subject.test->factors.empty()) {
    fail("inspect", Caller{}, "tcav needs images with known factors, and {} has none",
         r.subject.test->name);
  }
  constexpr int64_t sets = 10, each = 40;
  Sample sample = sample_of(r.subject, 1500);
  int64_t target = r.target[0];
  auto chosen = [&](const std::vector<int64_t>& rows) {
    return index_select(sample.x, 0, from_vector(rows, {static_cast<int64_t>(rows.size())}));
  };
  auto rows_where = [&](const std::string& what, auto&& keep) {
    std::vector<int64_t> rows;
    for (int64_t i = 0; i < sample.size() && static_cast<int64_t>(rows.size()) < each; ++i) {
      if (keep(static_cast<size_t>(i))) rows.push_back(i);
    }
    if (rows.size() < 8) {
      fail("tcav", Caller{}, "only {} of {} images show {}", rows.size(), sample.size(), what);
    }
    return chosen(rows);
  };
  Tensor examples = rows_where(r.subject.class_name(target),
                               [&](size_t i) { return sample.labels[i] == target; });
  Generator generator(r.seed);
  auto order = randperm(sample.size(), &generator).to_vector<int64_t>();
  std::vector<Tensor> random;
  for (int64_t s = 0; s < sets; ++s) {
    std::vector<int64_t> rows;
    for (int64_t i = 0; i < each; ++i) {
      rows.push_back(order[static_cast<size_t>((s * each + i) % sample.size())]);
    }
    random.push_back(chosen(rows));
  }
  std::vector<std::string> layers = r.subject.model->stages(), names;
  layers.pop_back();
  if (!r.layer.empty()) layers = {layer_of(r, false)};
  std::vector<std::vector<double>> scores, p_values;
  Json entries = Json::array();
  for (size_t f = 0; f < r.subject.test->factors.size(); ++f) {
    if (static_cast<int>(f) == r.subject.test->label_factor) continue;
    const FactorInfo& info = r.subject.test->factors[f];
    auto values = sample.factors.select(1, static_cast<int64_t>(f)).to_vector<int64_t>();
    Tensor with = rows_where(info.name, [&](size_t i) { return values[i] == 0; });
    names.push_back(info.value_names.empty() ? info.name + " 0"
                                             : info.name + " " + info.value_names[0]);
    scores.emplace_back();
    p_values.emplace_back();
    for (auto& layer : layers) {
      TcavResult found = tcav(r.subject.scores(), layer, examples, target, with, random);
      scores.back().push_back(found.mean);
      p_values.back().push_back(found.example_p_value);
      entries.push_back({{"concept", names.back()},
                         {"layer", layer},
                         {"score", found.mean},
                         {"control", found.control_mean},
                         {"p", found.example_p_value},
                         {"p_welch", found.p_value},
                         {"probe_accuracy", found.accuracy}});
    }
  }
  Answer answer;
  Tensor score = matrix_of(scores), p = matrix_of(p_values);
  answer.figure.rows.push_back(
      {.panels = {{"TCAV score", draw::Matrix{score, names, layers}},
                  {"p against random sets", draw::Matrix{p, names, layers}}},
       .label = {},
       .range = draw::Range{0, 1}});
  answer.figure.panel_size = std::max(168.0, 22.0 * static_cast<double>(names.size()));
  answer.figure.title = fmt::format("Does '{}' depend on a concept? {}",
                                    r.subject.class_name(target), r.subject.name);
  answer.figure.caption =
      "Share of the class's images whose score rises towards the concept, at each layer; and the "
      "probability of such a mean among random sets of images (Student; divide the level by the "
      "number of cells).";
  answer.arrays = {{"score", score}, {"p", p}};
  answer.numbers = {{"target", r.subject.class_name(target)}, {"entries", entries}};
  return answer;
}

// Directions of all known values in a layer: how much of a dimension each has for itself.
Answer dimensionality(const Request& r) {
  Sample sample = sample_of(r.subject, probe_rows);
  int64_t train = 2 * sample.size() / 3;
  auto tasks = tasks_of(r.subject, sample, train);
  auto layers = layers_of(r);
  layers.erase(layers.begin());
  Answer answer;
  draw::LineChart chart{.curves = {}, .x_label = "layer", .y_label = "mean dimensionality"};
  for (bool trained : {true, false}) {
    Scores model = trained ? r.subject.scores() : r.subject.untrained_scores();
    draw::Curve curve{trained ? "trained" : "before training", {}, {}};
    Json entries = Json::array();
    for (size_t l = 0; l < layers.size(); ++l) {
      Tensor x = pooled_features(activations(model, layers[l], sample.x), 1);
      std::vector<Tensor> directions;
      for (auto& probe : fit_probes(x.slice(0, 0, train).contiguous(),
                                    x.slice(0, train, x.size(0)).contiguous(), tasks)) {
        directions.push_back(probe.weight.transpose(0, 1));
      }
      auto values = feature_dimensionality(concatenate(directions, 0));
      double total = 0;
      for (double v : values) total += v;
      curve.x.push_back(static_cast<double>(l + 1));
      curve.y.push_back(total / static_cast<double>(values.size()));
      entries.push_back({{"layer", layers[l]},
                         {"units", x.size(1)},
                         {"features", values.size()},
                         {"dimensionality", values}});
    }
    chart.curves.push_back(curve);
    answer.numbers[trained ? "trained" : "untrained"] = entries;
  }
  answer.figure.rows.push_back({.panels = {{"", chart}}});
  answer.figure.panel_size = 240;
  answer.figure.title = fmt::format("How much of a dimension each feature has: {}", r.subject.name);
  answer.figure.caption =
      "Features are the probes' directions of every value of every factor in a "
      "layer's mean activation; 1: alone, 1/2: shares a line with its opposite.";
  return answer;
}

}  // namespace

std::vector<Method> population_methods() {
  auto images = Reads::images;
  return {
      {"dissection", "units", "Which concept each unit detects", "Bau et al. 2017", images, false,
       dissection},
      {"selectivity", "units", "Class selectivity of units, and one unit against all",
       "Morcos et al. 2018", images, true, selectivity_of_units},
      {"ablation", "units", "Accuracy as units are switched off", "Morcos et al. 2018", images,
       true, ablation},
      {"tcav", "units", "Whether a class depends on a concept", "Kim et al. 2018", images, false,
       concepts},
      {"dimensionality", "units", "How much of a dimension each feature has", "Elhage et al. 2022",
       images, false, dimensionality},
  };
}

}  // namespace strata::inspect
