// Curvature of the loss around the trained weights, and which training examples a prediction is
// owed to.
#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "tools/inspect/sample.h"
#include "tools/introspect/curvature/hessian.h"
#include "tools/introspect/curvature/influence.h"
#include "tools/introspect/curvature/krylov.h"
#include "tools/introspect/curvature/landscape.h"
#include "tools/introspect/curvature/per_example.h"
#include "tools/introspect/curvature/sharpness.h"

namespace strata::inspect {
namespace {

using namespace introspect;

constexpr int64_t loss_examples = 64;

// Mean cross entropy of the first training images, in evaluation mode.
introspect::Objective loss_of(Model& model, const Batch& batch) {
  return objective_of(model,
                      [&model, batch] { return cross_entropy(model(batch.images), batch.labels); });
}

Answer spectrum_of(const Request& r) {
  Batch batch = r.subject.train->head(loss_examples);
  SpectrumOptions options{.probes = r.samples > 0 ? static_cast<int>(r.samples) : 2,
                          .steps = r.steps > 0 ? static_cast<int>(r.steps) : 16,
                          .seed = r.seed};
  Answer answer;
  draw::Row row;
  for (bool trained : {true, false}) {
    LinearMap h = hessian(loss_of(trained ? *r.subject.model : *r.subject.untrained, batch));
    Spectrum s = spectrum(h, options);
    TopPairs top = top_eigenpairs(h, {.count = 3, .steps = 24, .seed = r.seed});
    TraceEstimate t = trace(h, 8, r.seed);
    double low = *std::min_element(s.nodes.begin(), s.nodes.end());
    double high = *std::max_element(s.nodes.begin(), s.nodes.end());
    std::vector<double> at;
    for (int i = 0; i <= 200; ++i) at.push_back(low + (high - low) * i / 200.0);
    auto density = s.density(at, std::max(1e-9, (high - low) / 40));
    // What is a millionth of the peak is the tail of a Gaussian, not of the spectrum.
    double floor = 1e-6 * *std::max_element(density.begin(), density.end());
    for (double& d : density) d = std::max(d, floor);
    draw::Curve curve{"density", at, density};
    row.panels.push_back({trained ? "trained" : "before training",
                          draw::LineChart{.curves = {curve},
                                          .x_label = "eigenvalue",
                                          .y_label = "density",
                                          .x_range = {},
                                          .y_range = {},
                                          .log_y = true},
                          fmt::format("top {:.3g}, trace {:.3g} ± {:.2g}", top.values[0], t.value,
                                      t.standard_error)});
    answer.numbers[trained ? "trained" : "untrained"] = {
        {"top", top.values}, {"residuals", top.residuals},
        {"trace", t.value},  {"trace_standard_error", t.standard_error},
        {"nodes", s.nodes},  {"weights", s.weights}};
  }
  answer.figure.rows.push_back(row);
  answer.figure.panel_size = 220;
  answer.figure.title = fmt::format("Spectrum of the Hessian: {}", r.subject.name);
  answer.figure.caption = fmt::format(
      "Density of the eigenvalues of the Hessian of the loss of {} training images, by stochastic "
      "Lanczos quadrature ({} probes of {} steps).",
      loss_examples, options.probes, options.steps);
  return answer;
}

Answer sharpness_of(const Request& r) {
  Batch batch = r.subject.train->head(loss_examples);
  Answer answer;
  std::vector<double> rows;
  for (bool trained : {true, false}) {
    Sharpness s = sharpness(loss_of(trained ? *r.subject.model : *r.subject.untrained, batch));
    for (double v : {s.top, s.adaptive_top, s.rise, s.adaptive_rise}) rows.push_back(v);
    answer.numbers[trained ? "trained" : "untrained"] = {{"top", s.top},
                                                         {"adaptive_top", s.adaptive_top},
                                                         {"rise", s.rise},
                                                         {"adaptive_rise", s.adaptive_rise}};
  }
  Tensor values = from_vector(rows, {2, 4});
  answer.figure.rows.push_back(
      {.panels = {{"", draw::Matrix{.values = values,
                                    .row_labels = {"trained", "before training"},
                                    .column_labels = {"top eigenvalue", "scale-free",
                                                      "rise in a ball", "scale-free"},
                                    .coloured = false}}},
       .label = {},
       .range = {},
       .shared_scale = true});
  answer.figure.title = fmt::format("Sharpness: {}", r.subject.name);
  answer.figure.caption =
      "Largest eigenvalue of the Hessian, and the largest rise of the loss within "
      "radius .05; scale-free: in units of each weight (Kwon et al. 2021), which "
      "rescaling the layers does not change.";
  return answer;
}

Answer landscape(const Request& r) {
  Batch batch = r.subject.train->head(loss_examples);
  int side = r.steps > 0 ? static_cast<int>(r.steps) : 13;
  std::vector<double> at;
  for (int i = 0; i < side; ++i) at.push_back(-1 + 2.0 * i / (side - 1));
  Answer answer;
  draw::Row row{{}, {}, {}, false};
  for (bool trained : {true, false}) {
    introspect::Objective objective =
        loss_of(trained ? *r.subject.model : *r.subject.untrained, batch);
    Tensor a = filter_normalised_direction(objective.parameters, r.seed);
    Tensor b = filter_normalised_direction(objective.parameters, r.seed + 1);
    Tensor loss = loss_over(objective, a, b, at, at);
    row.panels.push_back({trained ? "trained" : "before training",
                          draw::HeatMap{.values = log(loss + 1e-6), .smooth = false}});
    answer.arrays[trained ? "trained" : "untrained"] = loss;
  }
  answer.figure.rows.push_back(row);
  answer.figure.panel_size = 240;
  answer.figure.title = fmt::format("Slice of the loss landscape: {}", r.subject.name);
  answer.figure.caption = fmt::format(
      "Natural logarithm of the loss of {} training images along two random filter-normalised "
      "directions, from -1 to 1; the weights are in the middle.",
      loss_examples);
  answer.numbers = {{"at", at}};
  return answer;
}

Answer path_between(const Request& r) {
  Batch batch = r.subject.train->head(4 * loss_examples);
  std::vector<double> at;
  for (int i = 0; i <= 20; ++i) at.push_back(-0.25 + 1.5 * i / 20.0);
  StateDict start = r.subject.untrained->state_dict(), end;
  for (auto& [name, tensor] : r.subject.model->state_dict()) end[name] = tensor.clone();
  Model& model = *r.subject.model;
  auto loss = loss_between(
      model, [&] { return cross_entropy(model(batch.images), batch.labels); }, start, end, at);
  Answer answer;
  answer.figure.rows.push_back(
      {.panels = {{"", draw::LineChart{.curves = {{"loss", at, loss}},
                                       .x_label = "0: before training, 1: trained",
                                       .y_label = "loss"}}}});
  answer.figure.panel_size = 240;
  answer.figure.title = fmt::format("The loss between the start and the end: {}", r.subject.name);
  answer.figure.caption =
      "Loss on the straight line between the weights before and after training "
      "(Goodfellow et al. 2015); the running statistics are mixed as the weights.";
  answer.numbers = {{"at", at}, {"loss", loss}};
  return answer;
}

Answer noise(const Request& r) {
  Batch data = r.subject.train->head(512);
  Answer answer;
  for (bool trained : {true, false}) {
    Model& model = trained ? *r.subject.model : *r.subject.untrained;
    BatchLoss loss = [&](const std::vector<int64_t>& rows) {
      Tensor index = from_vector(rows, {static_cast<int64_t>(rows.size())});
      return cross_entropy(model(index_select(data.images, 0, index)),
                           index_select(data.labels, 0, index));
    };
    NoiseScale s =
        gradient_noise_scale(loss, model.parameters(), data.images.size(0), {.seed = r.seed});
    const char* name = trained ? "trained" : "before training";
    answer.numbers[name] = {{"simple_noise_scale", s.scale()}};
    answer.lines.push_back(
        fmt::format("{:<16} simple noise scale {:.1f} examples", name, s.scale()));
  }
  return answer;
}

// The training images that the prediction for each input is owed to, and those against it.
Answer influential(const Request& r) {
  constexpr int shown = 4;
  Batch data = r.subject.train->head(200);
  int64_t candidates = data.images.size(0);
  int64_t inputs = std::min<int64_t>(r.inputs.x.size(0), 3);
  std::vector<Tensor> scores;
  for (bool trained : {true, false}) {
    Model& model = trained ? *r.subject.model : *r.subject.untrained;
    auto loss_at = [&model](const Tensor& x, const Tensor& labels) {
      return [&model, x, labels](int64_t i) {
        return cross_entropy(model(x.slice(0, i, i + 1)), labels.slice(0, i, i + 1));
      };
    };
    std::vector<Tensor> values;
    for (auto& p : model.parameters()) values.push_back(p.detach().clone());
    scores.push_back(
        tracin({loss_at(data.images, data.labels), candidates},
               {loss_at(r.inputs.x, from_vector(r.target, {static_cast<int64_t>(r.target.size())})),
                inputs},
               model.parameters(), {{values, 1.0}}));
  }
  std::vector<int64_t> rows(static_cast<size_t>(candidates));
  for (int64_t i = 0; i < candidates; ++i) rows[static_cast<size_t>(i)] = i;
  Inputs training = inputs_of(*r.subject.train, rows, "train");
  Answer answer;
  for (int64_t i = 0; i < inputs; ++i) {
    auto values = scores[0].select(0, i).to_vector<double>();
    std::vector<int64_t> order = rows;
    std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
      return values[static_cast<size_t>(a)] > values[static_cast<size_t>(b)];
    });
    draw::Row row{{}, r.inputs.names[static_cast<size_t>(i)]};
    row.panels.push_back(
        {r.subject.class_name(r.target[static_cast<size_t>(i)]), picture_of(r.inputs.pixels, i)});
    auto add = [&](int64_t t) {
      row.panels.push_back({r.subject.class_name(training.labels[static_cast<size_t>(t)]),
                            picture_of(training.pixels, t),
                            fmt::format("{:+.2g}", values[static_cast<size_t>(t)])});
    };
    for (int k = 0; k < shown; ++k) add(order[static_cast<size_t>(k)]);
    for (int k = 0; k < 2; ++k) add(order[order.size() - 1 - static_cast<size_t>(k)]);
    answer.figure.rows.push_back(row);
  }
  answer.figure.panel_size = 110;
  answer.figure.title = fmt::format("Training images a prediction is owed to: {}", r.subject.name);
  answer.figure.caption = fmt::format(
      "TracIn at the final weights, over {} training images: the input, its four strongest "
      "proponents, "
      "its two strongest opponents. The scores of the untrained network are in the arrays.",
      candidates);
  answer.arrays = {{"scores", scores[0]}, {"untrained", scores[1]}};
  answer.numbers = {{"candidates", candidates}};
  return answer;
}

// The training images whose gradients are largest: what a step listens to most.
Answer hardest(const Request& r) {
  constexpr int64_t shown = 6;
  Batch data = r.subject.train->head(300);
  int64_t candidates = data.images.size(0);
  std::vector<int64_t> rows(static_cast<size_t>(candidates));
  for (int64_t i = 0; i < candidates; ++i) rows[static_cast<size_t>(i)] = i;
  Inputs training = inputs_of(*r.subject.train, rows, "train");
  Answer answer;
  for (bool trained : {true, false}) {
    Model& model = trained ? *r.subject.model : *r.subject.untrained;
    auto norms = per_example_gradient_norms(
        [&](int64_t i) {
          return cross_entropy(model(data.images.slice(0, i, i + 1)),
                               data.labels.slice(0, i, i + 1));
        },
        model.parameters(), candidates);
    std::vector<int64_t> order = rows;
    std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
      return norms[static_cast<size_t>(a)] > norms[static_cast<size_t>(b)];
    });
    draw::Row row{{}, trained ? "trained" : "untrained"};
    for (int64_t k = 0; k < shown; ++k) {
      int64_t i = order[static_cast<size_t>(k)];
      row.panels.push_back({r.subject.class_name(training.labels[static_cast<size_t>(i)]),
                            picture_of(training.pixels, i),
                            fmt::format("{:.3g}", norms[static_cast<size_t>(i)])});
    }
    answer.figure.rows.push_back(row);
    answer.numbers[trained ? "trained" : "untrained"] = {{"norms", norms}};
  }
  answer.figure.panel_size = 120;
  answer.figure.title =
      fmt::format("Training images with the largest gradients: {}", r.subject.name);
  answer.figure.caption = fmt::format(
      "Of {} training images, by the norm of the gradient of the image's own loss.", candidates);
  return answer;
}

}  // namespace

std::vector<Method> curvature_methods() {
  auto images = Reads::images;
  return {
      {"hessian-spectrum", "curvature", "Eigenvalues of the loss's Hessian", "Ghorbani et al. 2019",
       images, false, spectrum_of},
      {"sharpness", "curvature", "How far the loss rises nearby, and its scale-free form",
       "Foret et al. 2021", images, false, sharpness_of},
      {"landscape", "curvature", "A slice of the loss around the weights", "Li et al. 2018", images,
       false, landscape},
      {"path", "curvature", "The loss between the start and the end of training",
       "Goodfellow et al. 2015", images, false, path_between},
      {"noise-scale", "curvature", "How large a batch is of use", "McCandlish et al. 2018", images,
       false, noise},
      {"gradient-norms", "influence", "Training images with the largest gradients",
       "Paul et al. 2021", images, false, hardest},
      {"tracin", "influence", "Training images that a prediction is owed to", "Pruthi et al. 2020",
       images, false, influential},
  };
}

}  // namespace strata::inspect
