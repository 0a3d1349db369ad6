#include "tools/study/monitor.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/autograd/autograd.h"
#include "engine/io/safetensors.h"
#include "engine/ops.h"
#include "tools/introspect/capture.h"
#include "tools/introspect/representation/features.h"
#include "tools/introspect/representation/geometry.h"
#include "tools/introspect/representation/similarity.h"

namespace strata::study {
namespace {

using introspect::ProbeTask;
using Json = nlohmann::ordered_json;

constexpr int64_t batch = 250;

// Labels of the first `train` rows, then of the others.
ProbeTask task_of(const std::string& name, int64_t classes, const Tensor& labels, int64_t train) {
  auto all = labels.to_vector<int64_t>();
  return {name, classes, {all.begin(), all.begin() + train}, {all.begin() + train, all.end()}};
}

std::vector<ProbeTask> tasks_of(const Dataset& data, const Batch& images, int64_t train) {
  std::vector<ProbeTask> tasks;
  for (size_t f = 0; f < data.factors.size(); ++f) {
    tasks.push_back(task_of(data.factors[f].name, data.factors[f].values,
                            images.factors.select(1, static_cast<int64_t>(f)), train));
  }
  if (data.label_factor < 0) {
    tasks.push_back(task_of(data.label_name, data.classes(), images.labels, train));
  }
  return tasks;
}

std::vector<ProbeTask> shuffled(std::vector<ProbeTask> tasks) {
  Generator generator(90210);
  for (ProbeTask& task : tasks) {
    for (auto* labels : {&task.train, &task.validation}) {
      auto order = randperm(static_cast<int64_t>(labels->size()), &generator).to_vector<int64_t>();
      std::vector<int64_t> moved;
      for (int64_t i : order) moved.push_back((*labels)[static_cast<size_t>(i)]);
      *labels = std::move(moved);
    }
  }
  return tasks;
}

// Euclidean norm of the parameters of a layer and of what is inside it.
double weight_norm(const Layer& model, const std::string& layer) {
  double squares = 0;
  for (auto& [name, tensor] : model.named_parameters()) {
    if (name == layer || name.starts_with(layer + "."))
      squares += sum(square(tensor.detach())).item();
  }
  return std::sqrt(squares);
}

// The weights that see the pixels, as images: a convolution's [O, H, W, C], or a linear layer's
// rows laid out as the image.
Tensor first_filters(const Layer& model, const Tensor& images) {
  auto parameters = model.named_parameters();
  if (parameters.empty()) return {};
  Tensor weight = parameters.front().tensor.detach();
  int64_t channels = images.size(3);
  if (channels != 1 && channels != 3) return {};
  if (weight.rank() == 4 && weight.size(3) == channels) return weight.clone();
  if (weight.rank() == 2 && weight.size(1) == images.numel() / images.size(0)) {
    return weight.reshape({-1, images.size(1), images.size(2), channels}).clone();
  }
  return {};
}

std::filesystem::path step_file(const std::filesystem::path& folder, int64_t step) {
  return folder / fmt::format("step-{:06}.safetensors", step);
}
std::filesystem::path weights_file(const std::filesystem::path& folder, int64_t step) {
  return folder / fmt::format("weights-{:06}.safetensors", step);
}

}  // namespace

std::vector<int64_t> monitored_steps(int64_t last) {
  std::vector<int64_t> steps{0};
  for (int64_t power = 1; power < last; power *= 2) {
    steps.push_back(power);
    if (power >= 2 && power + power / 2 < last) steps.push_back(power + power / 2);
  }
  if (last > 0) steps.push_back(last);
  // A step just before the last one would say the same twice.
  if (steps.size() > 2 && last - steps[steps.size() - 2] < last / 8) steps.erase(steps.end() - 2);
  return steps;
}

std::vector<int64_t> film_steps(int64_t last, int64_t frames) {
  std::vector<int64_t> all = monitored_steps(last), chosen;
  auto count = static_cast<int64_t>(all.size());
  if (count <= frames) return all;
  for (int64_t i = 0; i < frames; ++i) {
    chosen.push_back(all[static_cast<size_t>(i * (count - 1) / (frames - 1))]);
  }
  return chosen;
}

Monitor::Monitor(const Dataset& images, std::vector<std::string> layers,
                 const MonitorOptions& options, std::filesystem::path folder)
    : layers_(std::move(layers)), options_(options), folder_(std::move(folder)) {
  int64_t available = images.size();
  int64_t wanted = options_.probe_train + options_.probe_validation;
  if (available < wanted) {  // keep the proportion
    options_.probe_train = available * options_.probe_train / wanted;
    options_.probe_validation = available - options_.probe_train;
  }
  if (options_.probe_train < 8 || options_.probe_validation < 8) {
    fail("monitor", Caller{},
         "{} held-out images are too few to train and score probes; give at least 16", available);
  }
  options_.gram_examples = std::min(options_.gram_examples, options_.probe_validation);
  images_ = images.head(options_.probe_train + options_.probe_validation);
  tasks_ = tasks_of(images, images_, options_.probe_train);
  shuffled_ = shuffled(tasks_);
  std::filesystem::create_directories(folder_);
}

std::map<std::string, Tensor> Monitor::features(Layer& model,
                                                std::map<std::string, double>* sparsity) const {
  NoGrad off;
  bool training = model.training();
  model.eval();
  std::map<std::string, std::vector<Tensor>> parts;
  int64_t count = images_.images.size(0);
  for (int64_t first = 0; first < count; first += batch) {
    introspect::Capture capture(layers_);
    model(images_.images.slice(0, first, std::min(count, first + batch)));
    for (const std::string& layer : layers_) {
      const Tensor& activation = capture[layer];
      parts[layer].push_back(introspect::pooled_features(activation, options_.grid));
      if (sparsity) {
        double weight = static_cast<double>(activation.size(0)) / static_cast<double>(count);
        (*sparsity)[layer] += weight * introspect::share_of_zeros(activation);
      }
    }
  }
  model.train(training);
  std::map<std::string, Tensor> result;
  for (auto& [layer, pieces] : parts) result[layer] = concatenate(pieces);
  return result;
}

void Monitor::write_probes(const std::string& layer, const Tensor& features, int64_t step,
                           const std::string& control, MetricsLog& log) const {
  Tensor train = features.slice(0, 0, options_.probe_train);
  auto components = introspect::principal_components(train, options_.code_size);
  Tensor held_out = features.slice(0, options_.probe_train, features.size(0));
  auto results = introspect::fit_probes(introspect::project(train, components, true),
                                        introspect::project(held_out, components, true),
                                        control == "shuffled" ? shuffled_ : tasks_, options_.probe);
  double count = static_cast<double>(options_.probe_validation);
  for (auto& r : results) {
    double margin = 1.96 * std::sqrt(r.validation_accuracy * (1 - r.validation_accuracy) / count);
    log.write(Json{{"kind", "probe"},
                   {"step", step},
                   {"layer", layer},
                   {"factor", r.name},
                   {"accuracy", r.validation_accuracy},
                   {"low", std::max(0.0, r.validation_accuracy - margin)},
                   {"high", std::min(1.0, r.validation_accuracy + margin)},
                   {"train_accuracy", r.train_accuracy},
                   {"control", control}});
  }
}

void Monitor::observe(Layer& model, int64_t step, MetricsLog& log) {
  NoGrad off;
  write_validation(model, step, log);
  std::map<std::string, double> sparsity;
  auto found = features(model, &sparsity);
  StateDict grams;
  for (const std::string& layer : layers_) {
    const Tensor& x = found.at(layer);
    write_probes(layer, x, step, "trained", log);
    if (step == 0) write_probes(layer, x, step, "untrained", log);
    Tensor held_out =
        x.slice(0, options_.probe_train, options_.probe_train + options_.gram_examples);
    grams[layer] = introspect::gram(held_out);
    log.write(Json{{"kind", "layer"},
                   {"step", step},
                   {"layer", layer},
                   {"sparsity", sparsity[layer]},
                   {"effective_rank", introspect::effective_rank(grams[layer])},
                   {"weight_norm", weight_norm(model, layer)}});
  }
  if (Tensor filters = first_filters(model, images_.images); filters.defined()) {
    grams["first filters"] = filters;
  }
  io::save_safetensors(step_file(folder_, step).string(), grams);
  if (std::binary_search(options_.film.begin(), options_.film.end(), step)) {
    io::save_safetensors(weights_file(folder_, step).string(), model.state_dict());
  }
}

void Monitor::restore(Module& model, int64_t step) const {
  model.load_state_dict(io::load_safetensors(weights_file(folder_, step).string()));
}

void Monitor::observe_pixels(MetricsLog& log) {
  write_probes("pixels", introspect::pooled_features(images_.images, 16), 0, "pixels", log);
}

void Monitor::observe_shuffled(Layer& model, int64_t step, MetricsLog& log) {
  for (auto& [layer, x] : features(model)) write_probes(layer, x, step, "shuffled", log);
}

StateDict Monitor::load(int64_t step) const {
  return io::load_safetensors(step_file(folder_, step).string());
}

void Monitor::write_validation(Layer& model, int64_t step, MetricsLog& log) const {
  bool training = model.training();
  model.eval();
  double loss = 0, right = 0, count = static_cast<double>(images_.labels.size(0));
  for (int64_t first = 0; first < images_.labels.size(0); first += batch) {
    int64_t last = std::min(images_.labels.size(0), first + batch);
    Tensor labels = images_.labels.slice(0, first, last);
    Tensor logits = model(images_.images.slice(0, first, last));
    CrossEntropyOptions sum_of;
    sum_of.reduction = Reduction::sum;
    loss += cross_entropy(logits, labels, sum_of).item();
    right += sum(equal(argmax(logits, 1), labels)).item();
  }
  model.train(training);
  log.write(Json{
      {"kind", "validation"}, {"step", step}, {"loss", loss / count}, {"accuracy", right / count}});
}

Tensor Monitor::filters(int64_t step) const {
  StateDict state = load(step);
  auto found = state.find("first filters");
  return found == state.end() ? Tensor() : found->second;
}

void Monitor::write_cka(const std::vector<int64_t>& steps, MetricsLog& log) const {
  auto last = load(steps.back());
  Generator generator(777);
  Tensor order = randperm(options_.gram_examples, &generator);
  for (int64_t step : steps) {
    auto grams = load(step);
    for (const std::string& layer : layers_) {
      // The same with the examples of one side permuted: what CKA says when there is nothing.
      Tensor permuted = index_select(index_select(last.at(layer), 0, order), 1, order);
      log.write(
          Json{{"kind", "cka"},
               {"step", step},
               {"layer", layer},
               {"cka_to_final", introspect::cka_of_grams(grams.at(layer), last.at(layer))},
               {"shuffled", introspect::cka_of_grams(grams.at(layer), permuted.contiguous())}});
    }
  }
}

std::vector<std::vector<double>> Monitor::layer_similarity(int64_t step) const {
  auto grams = load(step);
  std::vector<std::vector<double>> matrix;
  for (const std::string& a : layers_) {
    matrix.emplace_back();
    for (const std::string& b : layers_) {
      matrix.back().push_back(introspect::cka_of_grams(grams.at(a), grams.at(b)));
    }
  }
  return matrix;
}

}  // namespace strata::study
