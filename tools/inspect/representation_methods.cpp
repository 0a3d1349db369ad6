// How good a layer's representation is: numbers for every layer, each beside the untrained network.
#include <algorithm>
#include <cmath>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "tools/inspect/layers.h"
#include "tools/introspect/attribution/target.h"
#include "tools/introspect/representation/code_length.h"
#include "tools/introspect/representation/control_task.h"
#include "tools/introspect/representation/drift.h"
#include "tools/introspect/representation/features.h"
#include "tools/introspect/representation/geometry.h"
#include "tools/introspect/representation/nearest.h"
#include "tools/introspect/representation/scalar_mix.h"
#include "tools/introspect/representation/similarity.h"
#include "tools/introspect/representation/transfer.h"

namespace strata::inspect {
namespace {

using namespace introspect;

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
  Answer answer =
      two_matrices(measure(r.subject.scores()), measure(r.subject.untrained_scores()), layers,
                   {"probe", "selectivity", "10 nearest", "compression"}, "", false);
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

// How far a layer moves, and whether the alarms ring, when the images are shifted more and more.
Answer drift(const Request& r) {
  const Terrace& clean_data = terrace_of(r, "drift");
  constexpr int64_t dimensions = 24;
  int64_t rows = std::min<int64_t>(800, r.subject.validation->size()), batch = rows / 8;
  constexpr int severities = 5;
  std::string layer = layer_of(r, false);
  Answer answer;
  draw::Row rows_shown[2] = {{{}, "trained"}, {{}, "untrained"}};
  for (auto [name, shift] : {std::pair{"noise", terrace::Shift::noise},
                             {"blur", terrace::Shift::blur},
                             {"hue", terrace::Shift::hue}}) {
    for (bool trained : {true, false}) {
      Scores model = trained ? r.subject.scores() : r.subject.untrained_scores();
      auto codes_of = [&](const Dataset& data, int64_t count) {
        return pooled_features(activations(model, layer, data.head(count).images), 1);
      };
      // The alarms are set on other images than those that are shifted.
      Tensor reference = codes_of(*r.subject.validation, rows), clean = codes_of(clean_data, batch);
      auto components = principal_components(reference, dimensions);
      DriftMonitor monitor(project(reference, components, true), {.batch = batch, .seed = r.seed});
      draw::Curve mmd{"MMD / alarm", {}, {}}, distance{"Mahalanobis / alarm", {}, {}},
          cka{"1 - CKA to clean", {}, {}};
      Json entries = Json::array();
      for (int severity = 0; severity <= severities; ++severity) {
        Terrace shifted = clean_data.shifted(shift, severity);
        Tensor now = codes_of(shifted, batch);
        DriftReport report = monitor.score(project(now, components, true));
        double changed = 1 - linear_cka(clean, now);
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
      rows_shown[trained ? 0 : 1].panels.push_back(
          {std::string(name), draw::LineChart{.curves = {mmd, distance, cka},
                                              .x_label = "severity",
                                              .y_label = "",
                                              .x_range = {},
                                              .y_range = {},
                                              .log_y = true}});
      answer.numbers[fmt::format("{} {}", name, trained ? "trained" : "untrained")] = entries;
    }
  }
  answer.figure.rows = {rows_shown[0], rows_shown[1]};
  answer.figure.title = fmt::format("Drift of {} under shifted images: {}", layer, r.subject.name);
  answer.figure.caption = fmt::format(
      "Scores of {} shifted images against {} clean ones in {} components, as multiples of the "
      "level "
      "at which an alarm rings (5 % false alarms, calibrated on clean images); and how far the "
      "layer's "
      "similarity to its clean self has fallen. Logarithmic; what is not positive is left out. No "
      "label is used.",
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
  };
}

}  // namespace strata::inspect
