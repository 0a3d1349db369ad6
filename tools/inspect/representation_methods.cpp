// How good a layer's representation is, and how units share the work: numbers for every layer, each
// beside the untrained network.
#include <cmath>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "tools/inspect/sample.h"
#include "tools/introspect/attribution/target.h"
#include "tools/introspect/representation/code_length.h"
#include "tools/introspect/representation/control_task.h"
#include "tools/introspect/representation/drift.h"
#include "tools/introspect/representation/features.h"
#include "tools/introspect/representation/geometry.h"
#include "tools/introspect/representation/nearest.h"
#include "tools/introspect/representation/probe.h"
#include "tools/introspect/representation/scalar_mix.h"
#include "tools/introspect/representation/similarity.h"
#include "tools/introspect/representation/transfer.h"
#include "tools/introspect/units/concepts.h"
#include "tools/introspect/units/dissection.h"
#include "tools/introspect/units/selectivity.h"
#include "tools/introspect/units/superposition.h"
#include "tools/introspect/units/terrace_concepts.h"

namespace strata::inspect {
namespace {

using namespace introspect;

constexpr int64_t probe_rows = 1500;  // two thirds to fit, one to score
constexpr int64_t code_size = 128;

// Layers from the pixels up; "pixels" is the input itself.
std::vector<std::string> layers_of(const Request& r) {
  std::vector<std::string> layers = {"pixels"};
  for (auto& stage : r.subject.model->stages()) layers.push_back(stage);
  layers.pop_back();  // the logits are the answer
  return layers;
}

Tensor codes(const Scores& model, const std::string& layer, const Sample& sample) {
  Tensor a = layer == "pixels" ? sample.x : activations(model, layer, sample.x);
  return pooled_features(a);
}

// The same number of whitened dimensions for every layer, fitted on the training rows.
std::pair<Tensor, Tensor> split_codes(const Tensor& all, int64_t train) {
  auto components = principal_components(all.slice(0, 0, train), code_size);
  Tensor projected = project(all, components, true);
  return {projected.slice(0, 0, train).contiguous(),
          projected.slice(0, train, all.size(0)).contiguous()};
}

std::vector<int64_t> part(const std::vector<int64_t>& all, int64_t first, int64_t last) {
  return {all.begin() + first, all.begin() + last};
}

// The class and every factor of the data set that is not the class.
std::vector<ProbeTask> tasks_of(const Subject& subject, const Sample& sample, int64_t train) {
  int64_t n = sample.size();
  std::vector<ProbeTask> tasks = {{subject.test->label_name, subject.test->classes(),
                                   part(sample.labels, 0, train), part(sample.labels, train, n)}};
  for (size_t f = 0; f < subject.test->factors.size(); ++f) {
    if (static_cast<int>(f) == subject.test->label_factor) continue;
    auto values = sample.factors.select(1, static_cast<int64_t>(f)).to_vector<int64_t>();
    const FactorInfo& info = subject.test->factors[f];
    tasks.push_back(
        {info.name, info.values, part(values, 0, train), part(values, train, n), info.ceiling});
  }
  return tasks;
}

std::vector<std::string> names_of(const std::vector<ProbeTask>& tasks) {
  std::vector<std::string> names;
  for (auto& task : tasks) names.push_back(task.name);
  return names;
}

Tensor matrix_of(const std::vector<std::vector<double>>& rows) {
  std::vector<double> flat;
  for (auto& row : rows) flat.insert(flat.end(), row.begin(), row.end());
  return from_vector(flat,
                     {static_cast<int64_t>(rows.size()), static_cast<int64_t>(rows[0].size())});
}

// Trained and untrained, one under the other, as numbered matrices of the same colours.
Answer two_matrices(const Tensor& trained, const Tensor& untrained,
                    const std::vector<std::string>& rows, const std::vector<std::string>& columns,
                    const std::string& scale) {
  Answer answer;
  answer.figure.rows.push_back(
      {.panels = {{"trained", draw::Matrix{trained, rows, columns}},
                  {"before training", draw::Matrix{untrained, rows, columns}}},
       .label = {},
       .range = {},
       .scale_label = scale});
  answer.arrays = {{"trained", trained}, {"untrained", untrained}};
  answer.figure.panel_size = std::max(168.0, 26.0 * static_cast<double>(rows.size()));
  return answer;
}

Answer probes(const Request& r) {
  Sample sample = sample_of(r.subject, probe_rows);
  int64_t train = 2 * sample.size() / 3;
  auto tasks = tasks_of(r.subject, sample, train);
  auto layers = layers_of(r);
  auto measure = [&](const Scores& model, Json* entries) {
    std::vector<std::vector<double>> rows;
    for (auto& layer : layers) {
      auto [fit, held_out] = split_codes(codes(model, layer, sample), train);
      std::vector<double> row;
      for (auto& result : fit_probes(fit, held_out, tasks)) {
        row.push_back(result.validation_accuracy);
        entries->push_back({{"layer", layer},
                            {"factor", result.name},
                            {"accuracy", result.validation_accuracy},
                            {"train_accuracy", result.train_accuracy},
                            {"margin", result.margin(held_out.size(0))},
                            {"chance", result.chance},
                            {"ceiling", result.ceiling}});
      }
      rows.push_back(row);
    }
    return matrix_of(rows);
  };
  Json trained_entries = Json::array(), untrained_entries = Json::array();
  Tensor trained = measure(r.subject.scores(), &trained_entries);
  Tensor untrained = measure(r.subject.untrained_scores(), &untrained_entries);
  Answer answer = two_matrices(trained, untrained, layers, names_of(tasks), "accuracy");
  answer.figure.title =
      fmt::format("What a linear probe reads from each layer: {}", r.subject.name);
  answer.figure.caption = fmt::format(
      "Accuracy on {} held-out images of logistic regression on {} whitened components of each "
      "layer, {} images to fit.",
      sample.size() - train, code_size, train);
  answer.numbers = {{"trained", trained_entries}, {"untrained", untrained_entries}};
  return answer;
}

// Other readers of the same codes: nearest neighbours, code length, selectivity against a control
// task.
Answer readers(const Request& r) {
  Sample sample = sample_of(r.subject, probe_rows);
  int64_t train = 2 * sample.size() / 3;
  auto layers = layers_of(r);
  auto task = tasks_of(r.subject, sample, train)[0];
  // The control task gives labels by chance to types: images are all different, so types are groups
  // that a reader of the class cannot use, the image's number modulo 50.
  std::vector<int64_t> types;
  for (int64_t i = 0; i < sample.size(); ++i) types.push_back(i % 50);
  auto measure = [&](const Scores& model) {
    std::vector<std::vector<double>> rows;
    for (auto& layer : layers) {
      auto [fit, held_out] = split_codes(codes(model, layer, sample), train);
      auto s = selectivity(fit, held_out, task, part(types, 0, train),
                           part(types, train, sample.size()), {}, r.seed);
      CodeLengthOptions length;
      length.seed = r.seed;
      rows.push_back({s.task.validation_accuracy, s.value(),
                      nearest_accuracy(fit, task.train, held_out, task.validation),
                      code_length(fit, {task.classes, task.train}, length).compression()});
    }
    return matrix_of(rows);
  };
  Answer answer = two_matrices(measure(r.subject.scores()), measure(r.subject.untrained_scores()),
                               layers, {"probe", "selectivity", "10 nearest", "compression"}, "");
  answer.figure.title = fmt::format("Four readers of the class: {}", r.subject.name);
  answer.figure.caption =
      "Accuracy of a linear probe; less that of the same probe on labels given by chance; accuracy "
      "of "
      "the ten nearest neighbours (cosine); and how much shorter the labels' code gets "
      "(prequential "
      "code length).";
  Json entries = Json::array();
  answer.numbers = {{"layers", layers}};
  return answer;
}

Answer layer_similarity(const Request& r) {
  Sample sample = sample_of(r.subject, 500);
  auto layers = layers_of(r);
  std::vector<Tensor> trained, untrained;
  for (auto& layer : layers) {
    trained.push_back(gram(codes(r.subject.scores(), layer, sample)));
    untrained.push_back(gram(codes(r.subject.untrained_scores(), layer, sample)));
  }
  auto compare = [&](const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
    std::vector<std::vector<double>> rows;
    for (auto& k : a) {
      rows.emplace_back();
      for (auto& l : b) rows.back().push_back(cka_of_grams(k, l));
    }
    return matrix_of(rows);
  };
  Tensor within = compare(trained, trained), across = compare(trained, untrained);
  NullBand null = cka_null_band(trained.back(), trained[trained.size() / 2], 100, true, r.seed);
  Answer answer;
  answer.figure.rows.push_back(
      {.panels = {{"trained with itself", draw::Matrix{within, layers, layers}},
                  {"trained with before training", draw::Matrix{across, layers, layers}}},
       .label = {},
       .range = {},
       .scale_label = "debiased CKA"});
  answer.figure.panel_size = std::max(168.0, 26.0 * static_cast<double>(layers.size()));
  answer.figure.title = fmt::format("How alike the layers are: {}", r.subject.name);
  answer.figure.caption = fmt::format(
      "Debiased linear CKA on {} test images. Rows paired by chance give {:.3f}, 95 % of them "
      "between "
      "{:.3f} and {:.3f}.",
      sample.size(), null.mean, null.low, null.high);
  answer.arrays = {{"trained", within}, {"untrained", across}};
  answer.numbers = {{"layers", layers},
                    {"null", {{"mean", null.mean}, {"low", null.low}, {"high", null.high}}}};
  return answer;
}

Answer geometry(const Request& r) {
  Sample sample = sample_of(r.subject, 1000);
  auto layers = layers_of(r);
  std::vector<std::string> columns = {"effective rank", "participation", "TwoNN",
                                      "Hoyer",          "zeros",         "silhouette"};
  auto measure = [&](const Scores& model) {
    std::vector<std::vector<double>> rows;
    for (auto& layer : layers) {
      Tensor x = codes(model, layer, sample), k = gram(x);
      Tensor raw = layer == "pixels" ? sample.x : activations(model, layer, sample.x);
      rows.push_back({effective_rank(k), participation_ratio(k), two_nearest_dimension(x),
                      hoyer_sparsity(x), share_of_zeros(raw), silhouette(x, sample.labels)});
    }
    return matrix_of(rows);
  };
  Tensor trained = measure(r.subject.scores()), untrained = measure(r.subject.untrained_scores());
  Answer answer;
  for (size_t c = 0; c < columns.size(); c += 3) {
    draw::Row row;
    for (size_t j = c; j < std::min(c + 3, columns.size()); ++j) {
      std::vector<double> place;
      for (size_t i = 0; i < layers.size(); ++i) place.push_back(static_cast<double>(i));
      auto column = [&](const Tensor& m) {
        return m.select(1, static_cast<int64_t>(j)).to_vector<double>();
      };
      row.panels.push_back(
          {columns[j], draw::LineChart{.curves = {{"trained", place, column(trained)},
                                                  {"before training", place, column(untrained)}},
                                       .x_label = "layer (0: pixels)",
                                       .y_label = ""}});
    }
    answer.figure.rows.push_back(row);
  }
  answer.figure.title = fmt::format("How each layer uses its space: {}", r.subject.name);
  answer.figure.caption =
      "Effective rank, participation ratio and TwoNN: dimensions that the examples fill. Hoyer: "
      "sparsity of a code (1 for one unit). Silhouette: how far the classes lie apart.";
  answer.arrays = {{"trained", trained}, {"untrained", untrained}};
  answer.numbers = {{"layers", layers}, {"columns", columns}};
  return answer;
}

Answer scalar_mix(const Request& r) {
  Sample sample = sample_of(r.subject, probe_rows);
  int64_t train = 2 * sample.size() / 3;
  auto tasks = tasks_of(r.subject, sample, train);
  auto layers = layers_of(r);
  layers.erase(layers.begin());
  auto mix = [&](const Scores& model) {
    std::vector<Tensor> fit, held_out;
    for (auto& layer : layers) {
      auto [a, b] = split_codes(codes(model, layer, sample), train);
      int64_t width = std::min<int64_t>(a.size(1), 64);
      fit.push_back(a.slice(1, 0, width).contiguous());
      held_out.push_back(b.slice(1, 0, width).contiguous());
    }
    std::vector<std::vector<double>> rows;
    for (auto& task : tasks) {
      ScalarMix result = fit_scalar_mix(fit, held_out, task);
      rows.push_back(result.weights);
      rows.back().push_back(result.centre_of_gravity);
    }
    return matrix_of(rows);
  };
  auto columns = layers;
  columns.push_back("centre");
  Answer answer = two_matrices(mix(r.subject.scores()), mix(r.subject.untrained_scores()),
                               names_of(tasks), columns, "weight");
  answer.figure.title = fmt::format("Which layers a probe of all of them uses: {}", r.subject.name);
  answer.figure.caption =
      "Softmax weights of a mix of the layers, learned with a linear probe on it; "
      "last, their centre of gravity (layers counted from 0).";
  answer.numbers = {{"layers", layers}};
  return answer;
}

const Terrace& terrace_of(const Request& r, const char* method) {
  auto terrace = dynamic_cast<const Terrace*>(r.subject.test.get());
  if (!terrace) {
    fail("inspect", Caller{},
         "{} needs images whose concepts have known places: the generated data set, terrace",
         method);
  }
  return *terrace;
}

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
                               {"detectors", "mean level", "concepts"}, "");
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

// How far a layer moves, and whether the alarms ring, when the images are shifted more and more.
Answer drift(const Request& r) {
  const Terrace& clean_data = terrace_of(r, "drift");
  constexpr int64_t dimensions = 24;
  int64_t rows = std::min<int64_t>(800, clean_data.size()), batch = rows / 8;
  constexpr int severities = 5;
  std::string layer = layer_of(r, false);
  Answer answer;
  draw::Row shown;
  for (auto [name, shift] : {std::pair{"noise", terrace::Shift::noise},
                             {"blur", terrace::Shift::blur},
                             {"hue", terrace::Shift::hue}}) {
    for (bool trained : {true, false}) {
      Scores model = trained ? r.subject.scores() : r.subject.untrained_scores();
      auto codes_of = [&](const Dataset& data, int64_t count) {
        return pooled_features(activations(model, layer, data.head(count).images), 1);
      };
      Tensor clean = codes_of(clean_data, rows);
      auto components = principal_components(clean, dimensions);
      DriftMonitor monitor(project(clean, components, true), {.batch = batch, .seed = r.seed});
      draw::Curve mmd{"MMD / alarm", {}, {}}, distance{"Mahalanobis / alarm", {}, {}},
          cka{"1 - CKA to clean", {}, {}};
      Json entries = Json::array();
      for (int severity = 0; severity <= severities; ++severity) {
        Terrace shifted = clean_data.shifted(shift, severity);
        Tensor now = codes_of(shifted, batch);
        DriftReport report = monitor.score(project(now, components, true));
        double changed = 1 - linear_cka(clean.slice(0, 0, batch).contiguous(), now);
        mmd.x.push_back(severity), mmd.y.push_back(report.mmd.value / report.mmd.level);
        distance.x.push_back(severity),
            distance.y.push_back(report.mahalanobis.value / report.mahalanobis.level);
        cka.x.push_back(severity), cka.y.push_back(changed);
        entries.push_back({{"severity", severity},
                           {"mmd", report.mmd.value},
                           {"mmd_level", report.mmd.level},
                           {"mahalanobis", report.mahalanobis.value},
                           {"mahalanobis_level", report.mahalanobis.level},
                           {"one_minus_cka", changed}});
      }
      shown.panels.push_back(
          {fmt::format("{}, {}", name, trained ? "trained" : "untrained"),
           draw::LineChart{.curves = {mmd, distance, cka}, .x_label = "severity", .y_label = ""}});
      answer.numbers[fmt::format("{} {}", name, trained ? "trained" : "untrained")] = entries;
    }
  }
  answer.figure.rows = {shown};
  answer.figure.title = fmt::format("Drift of {} under shifted images: {}", layer, r.subject.name);
  answer.figure.caption = fmt::format(
      "Scores of {} shifted images against {} clean ones in {} components, as multiples of the "
      "level "
      "at which an alarm rings (5 % false alarms, calibrated on clean images); and how far the "
      "layer's "
      "similarity to its clean self has fallen. No label is used.",
      batch, rows, dimensions);
  return answer;
}

// How many examples of a class a probe of each layer needs, against raw pixels.
Answer few_shots(const Request& r) {
  Sample sample = sample_of(r.subject, probe_rows);
  int64_t train = 2 * sample.size() / 3;
  auto task = tasks_of(r.subject, sample, train)[0];
  std::vector<int64_t> counts(static_cast<size_t>(task.classes), 0);
  for (int64_t label : task.train) ++counts[static_cast<size_t>(label)];
  int64_t most = *std::min_element(counts.begin(), counts.end());
  std::vector<int64_t> shots;
  for (int64_t s = 1; s <= most; s *= 2) shots.push_back(s);
  auto layers = layers_of(r);
  std::string last = r.layer.empty() ? layers.back() : layer_of(r, false);
  Answer answer;
  draw::LineChart chart{.curves = {}, .x_label = "log2 of examples a class", .y_label = "accuracy"};
  auto add = [&](const std::string& name, const Scores& model, const std::string& layer) {
    auto [fit, held_out] = split_codes(codes(model, layer, sample), train);
    draw::Curve curve{name, {}, {}};
    Json entries = Json::array();
    for (auto& point : few_shot_curve(fit, held_out, task, shots, 5, {}, r.seed)) {
      curve.x.push_back(std::log2(static_cast<double>(point.shots)));
      curve.y.push_back(point.mean);
      curve.low.push_back(point.mean - point.deviation);
      curve.high.push_back(point.mean + point.deviation);
      entries.push_back(
          {{"shots", point.shots}, {"mean", point.mean}, {"deviation", point.deviation}});
    }
    chart.curves.push_back(curve);
    answer.numbers[name] = entries;
  };
  add(last, r.subject.scores(), last);
  add(last + ", untrained", r.subject.untrained_scores(), last);
  add("pixels", r.subject.scores(), "pixels");
  answer.figure.rows.push_back({.panels = {{"", chart}}});
  answer.figure.panel_size = 260;
  answer.figure.title = fmt::format("How many examples a probe needs: {}", r.subject.name);
  answer.figure.caption = fmt::format(
      "Held-out accuracy of a linear probe for the class fitted to so many examples of each, mean "
      "and "
      "standard deviation of 5 draws.");
  return answer;
}

}  // namespace

std::vector<Method> representation_methods() {
  auto images = Reads::images;
  return {
      {"probe", "representation", "What a linear probe reads from each layer",
       "Alain and Bengio 2016", images, false, probes},
      {"readers", "representation", "Selectivity, neighbours and code length of the class",
       "Hewitt and Liang 2019", images, false, readers},
      {"scalar-mix", "representation", "Which layers a probe of all of them uses",
       "Tenney et al. 2019", images, false, scalar_mix},
      {"cka", "representation", "How alike the layers are", "Kornblith et al. 2019", images, false,
       layer_similarity},
      {"few-shot", "representation", "How many examples a probe of a layer needs",
       "Kornblith et al. 2019", images, false, few_shots},
      {"drift", "representation", "Whether a layer notices shifted data, without labels",
       "Gretton et al. 2012", images, true, drift},
      {"geometry", "representation", "Rank, dimension, sparsity and class distance of each layer",
       "Roy and Vetterli 2007", images, false, geometry},
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
