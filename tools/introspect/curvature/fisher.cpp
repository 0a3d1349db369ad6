#include "tools/introspect/curvature/fisher.h"

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "tools/introspect/curvature/per_example.h"

namespace strata::introspect {
namespace {

Tensor zeros_for(const std::vector<Tensor>& parameters) {
  if (parameters.empty()) fail("fisher", Caller{}, "there are no parameters");
  return zeros({element_count(parameters)}, parameters[0].dtype());
}

// The scores as rows [R, classes].
Tensor as_rows(const Tensor& scores) {
  if (scores.rank() < 1 || scores.size(-1) < 2) {
    fail("fisher", Caller{}, "scores {} must be [..., classes] of at least 2 classes",
         describe(scores));
  }
  return scores.reshape({-1, scores.size(-1)});
}

std::vector<Tensor> filled(std::vector<Tensor> parts, const std::vector<Tensor>& like) {
  for (size_t i = 0; i < parts.size(); ++i) {
    if (!parts[i].defined()) parts[i] = zeros_like(like[i]);
  }
  return parts;
}

}  // namespace

Tensor empirical_fisher_diagonal(const ExampleLoss& loss, const std::vector<Tensor>& parameters,
                                 int64_t count) {
  NoGrad off;
  Tensor total = zeros_for(parameters);
  for (int64_t i = 0; i < count; ++i) {
    EnableGrad on;
    Tensor g = flat_gradient(loss(i), parameters);
    total = total + g * g;
  }
  return total / static_cast<double>(count);
}

LinearMap empirical_fisher(const ExampleLoss& loss, const std::vector<Tensor>& parameters,
                           int64_t count) {
  Tensor rows = per_example_gradients(loss, parameters, count);
  return {rows.size(1), rows.dtype(), [=](const Tensor& v) {
            return matmul(matmul(rows, v), rows) / static_cast<double>(count);
          }};
}

Tensor fisher_diagonal(const ScoresOf& scores, const std::vector<Tensor>& parameters,
                       int64_t count) {
  EnableGrad on;
  Tensor total = zeros_for(parameters);
  int64_t predictions = 0;
  for (int64_t i = 0; i < count; ++i) {
    Tensor logs = log_softmax(as_rows(scores(i)), 1);
    auto probability = exp(logs.detach()).to_vector<double>();
    for (int64_t place = 0; place < logs.numel(); ++place) {
      Tensor one = logs.reshape({logs.numel()}).select(0, place);
      Tensor g = flat_gradient(one, parameters, true);
      total = total + g * g * probability[static_cast<size_t>(place)];
    }
    predictions += logs.size(0);
  }
  return total / static_cast<double>(predictions);
}

LinearMap fisher(const std::function<Tensor()>& scores, const std::vector<Tensor>& parameters) {
  EnableGrad on;
  Tensor rows = as_rows(scores());
  Tensor p = softmax(rows.detach(), 1), seed = zeros_like(rows);
  seed.set_requires_grad();
  // J' seed is linear in the seed, so its derivative along v with respect to the seed is J v.
  auto transposed = filled(
      grad({rows}, parameters, {seed}, {.create_graph = true, .allow_unused = true}), parameters);
  int64_t count = rows.size(0);
  return {element_count(parameters), parameters[0].dtype(), [=](const Tensor& v) {
            EnableGrad on;
            std::vector<Tensor> outputs, directions, parts = unflatten(v, parameters);
            for (size_t i = 0; i < parts.size(); ++i) {
              if (!transposed[i].requires_grad()) continue;
              outputs.push_back(transposed[i]);
              directions.push_back(parts[i]);
            }
            Tensor jv = grad(outputs, {seed}, directions, {.retain_graph = true})[0];
            Tensor centred = p * (jv - sum(p * jv, {1}, true));
            auto found =
                grad({rows}, parameters, {centred}, {.retain_graph = true, .allow_unused = true});
            return flatten_all(filled(found, parameters)) / static_cast<double>(count);
          }};
}

}  // namespace strata::introspect
