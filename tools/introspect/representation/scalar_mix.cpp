#include "tools/introspect/representation/scalar_mix.h"

#include <algorithm>
#include <cmath>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "tools/introspect/representation/lbfgs.h"

namespace strata::introspect {
namespace {

// Layers as [L, n D], scaled by the training rows' mean and mean square.
struct Layers {
  Tensor train, validation;
  int64_t count, width, rows, held_out;
};

Layers scaled(const std::vector<Tensor>& train, const std::vector<Tensor>& validation) {
  std::vector<Tensor> first, second;
  for (size_t l = 0; l < train.size(); ++l) {
    Tensor shift = mean(train[l], {0}), centred = train[l] - shift;
    double size = std::sqrt(mean(square(centred)).item());
    double scale = size > 0 ? 1 / size : 0;
    first.push_back((centred * scale).reshape({1, -1}));
    second.push_back(((validation[l] - shift) * scale).reshape({1, -1}));
  }
  return {concatenate(first), concatenate(second), static_cast<int64_t>(train.size()),
          train[0].size(1),   train[0].size(0),    validation[0].size(0)};
}

// The parameters a [L], gamma, W [C, D] and b [C], as one vector for the search and as tensors.
struct Parameters {
  Tensor a, gamma, weight, bias;
  std::vector<Tensor> all() const { return {a, gamma, weight, bias}; }
};

Parameters unpack(const std::vector<double>& values, const Layers& layers, int64_t classes,
                  DType dtype) {
  Tensor flat = from_vector(values, {static_cast<int64_t>(values.size())}).to(dtype);
  int64_t at = 0;
  auto next = [&](const Dims& shape) {
    Tensor part = flat.slice(0, at, at + shape.product()).reshape(shape).clone();
    at += shape.product();
    return part;
  };
  Parameters p;
  p.a = next({1, layers.count});
  p.gamma = next({1});
  p.weight = next({classes, layers.width});
  p.bias = next({classes});
  return p;
}

Tensor logits_of(const Parameters& p, const Tensor& layers, int64_t rows) {
  Tensor mixed = matmul(softmax(p.a), layers).reshape({rows, -1}) * p.gamma;
  return linear(mixed, p.weight, p.bias);
}

void check(const std::vector<Tensor>& train, const std::vector<Tensor>& validation,
           const ProbeTask& task) {
  if (train.empty() || train.size() != validation.size()) {
    fail("fit_scalar_mix", Caller{}, "{} and {} layers; both must have the same, at least 1",
         train.size(), validation.size());
  }
  for (size_t l = 0; l < train.size(); ++l) {
    for (auto& [x, labels, like] : {std::tie(train[l], task.train, train[0]),
                                    std::tie(validation[l], task.validation, validation[0])}) {
      if (x.rank() != 2 || x.shape() != like.shape() || x.size(1) != train[0].size(1) ||
          x.size(0) != static_cast<int64_t>(labels.size())) {
        fail("fit_scalar_mix", Caller{},
             "layer {} is {}: every layer must be [rows, {}] with a row a label ({}); project "
             "layers "
             "to one width first",
             l, describe(x), train[0].size(-1), labels.size());
      }
    }
  }
}

}  // namespace

ScalarMix fit_scalar_mix(const std::vector<Tensor>& train, const std::vector<Tensor>& validation,
                         const ProbeTask& task, const ProbeOptions& options) {
  NoGrad off;
  check(train, validation, task);
  Layers layers = scaled(train, validation);
  DType dtype = layers.train.dtype();
  Tensor target = from_vector(task.train, {layers.rows});
  std::vector<double> start(
      static_cast<size_t>(layers.count + 1 + task.classes * (layers.width + 1)), 0.0);
  start[static_cast<size_t>(layers.count)] = 1;
  Lbfgs search(start);
  while (search.gradient_norm() >= options.tolerance && search.steps() < options.max_iterations &&
         !search.stalled()) {
    EnableGrad on;
    Parameters p = unpack(search.trial(), layers, task.classes, dtype);
    for (Tensor t : p.all()) t.set_requires_grad();
    Tensor loss = cross_entropy(logits_of(p, layers.train, layers.rows), target) +
                  (sum(square(p.weight)) + sum(square(p.gamma - 1.0))) * (options.l2 / 2);
    std::vector<double> gradient;
    for (const Tensor& g : grad({loss}, p.all())) {
      auto values = g.to_vector<double>();
      gradient.insert(gradient.end(), values.begin(), values.end());
    }
    search.tell(loss.item(), std::move(gradient));
  }
  Parameters p = unpack(search.point(), layers, task.classes, dtype);
  Tensor logits = logits_of(p, layers.train, layers.rows);
  ScalarMix result;
  result.weights = softmax(p.a).to_vector<double>();
  result.gamma = p.gamma.item();
  result.centre_of_gravity = centre_of_gravity(result.weights);
  result.train_loss = log_loss(logits, task.train);
  result.train_accuracy = accuracy(logits, task.train);
  result.validation_accuracy =
      accuracy(logits_of(p, layers.validation, layers.held_out), task.validation);
  result.gradient = search.gradient_norm();
  return result;
}

std::vector<double> cumulative_scores(const std::vector<Tensor>& train,
                                      const std::vector<Tensor>& validation, const ProbeTask& task,
                                      const ProbeOptions& options) {
  check(train, validation, task);
  std::vector<double> scores;
  for (auto l = std::ptrdiff_t{1}; l <= std::ssize(train); ++l) {
    scores.push_back(fit_scalar_mix({train.begin(), train.begin() + l},
                                    {validation.begin(), validation.begin() + l}, task, options)
                         .validation_accuracy);
  }
  return scores;
}

double expected_layer(const std::vector<double>& scores) {
  double total = 0, weighted = 0;
  for (size_t l = 1; l < scores.size(); ++l) {
    double gain = scores[l] - scores[l - 1];
    total += gain;
    weighted += static_cast<double>(l) * gain;
  }
  return total > 0 ? weighted / total : 0;
}

double centre_of_gravity(const std::vector<double>& weights) {
  double total = 0, weighted = 0;
  for (size_t l = 0; l < weights.size(); ++l) {
    total += weights[l];
    weighted += static_cast<double>(l) * weights[l];
  }
  return total > 0 ? weighted / total : 0;
}

}  // namespace strata::introspect
