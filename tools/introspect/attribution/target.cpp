#include "tools/introspect/attribution/target.h"

#include <algorithm>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "engine/tensor/allocator.h"

namespace strata::introspect {

Tensor target_scores(const Tensor& scores, const std::vector<int64_t>& target) {
  if (target.empty()) {
    if (scores.rank() == 0 || scores.numel() != scores.size(0)) {
      fail("attribution", Caller{},
           "scores {} are not one number an example: give targets, or a model that returns [N]",
           describe(scores));
    }
    return scores.reshape({scores.size(0)});
  }
  auto count = static_cast<int64_t>(target.size());
  if (scores.rank() != 2 || scores.size(0) != count) {
    fail("attribution", Caller{}, "scores {} do not match {} targets: expected [N, classes]",
         describe(scores), target.size());
  }
  for (int64_t index : target) {
    if (index >= 0 && index < scores.size(1)) continue;
    fail("attribution", Caller{}, "target {} is outside the {} scores of {}", index, scores.size(1),
         describe(scores));
  }
  Tensor index = from_vector(target, {count, 1}).to(scores.device());
  return gather(scores, 1, index).reshape({count});
}

std::vector<int64_t> targets_of(const std::vector<int64_t>& target,
                                const std::vector<int64_t>& examples) {
  std::vector<int64_t> chosen;
  if (target.empty()) return chosen;
  for (int64_t example : examples) chosen.push_back(target.at(static_cast<size_t>(example)));
  return chosen;
}

Tensor input_gradient(const Scores& model, const Tensor& x, const std::vector<int64_t>& target) {
  EnableGrad on;
  Tensor input = x.detach().set_requires_grad();
  Tensor score = sum(target_scores(model(input), target));
  if (!score.requires_grad()) return zeros_like(x);
  Tensor gradient = grad({score}, {input}, {}, {.allow_unused = true})[0];
  return gradient.defined() ? gradient : zeros_like(x);
}

std::vector<double> scores_of(const Scores& model, const Tensor& x,
                              const std::vector<int64_t>& target) {
  NoGrad off;
  return target_scores(model(x), target).to_vector<double>();
}

const std::vector<Tensor>& uses_of(const Capture& capture, const std::string& layer,
                                   const Scores& model, const Tensor& x) {
  if (capture.names().empty()) {
    NoGrad off;
    Capture all;
    model(x);
    all[layer];  // throws, and lists the names there are
  }
  return capture.every(layer);
}

Tensor activation_of(const Scores& model, const Tensor& x, const std::string& layer) {
  NoGrad off;
  Capture capture({layer});
  model(x);
  return uses_of(capture, layer, model, x).back();
}

Scores units_of(Scores model, std::string layer) {
  return [model = std::move(model), layer = std::move(layer)](const Tensor& x) {
    Capture capture({layer});
    model(x);
    const Tensor& activation = uses_of(capture, layer, model, x).back();
    return activation.rank() == 1 ? activation : activation.flatten(1);
  };
}

Scores channels_of(Scores model, std::string layer) {
  return [model = std::move(model), layer = std::move(layer)](const Tensor& x) {
    Capture capture({layer});
    model(x);
    Tensor activation = uses_of(capture, layer, model, x).back();
    if (activation.rank() < 2) {
      fail("channels_of", Caller{}, "the activation '{}' is {} and has no channels [N, ..., C]",
           layer, describe(activation));
    }
    Dims positions;
    for (int axis = 1; axis + 1 < activation.rank(); ++axis) positions.push_back(axis);
    return positions.empty() ? activation : mean(activation, positions);
  };
}

Tensor attribution_at_layer(const Scores& model, const Tensor& x, const std::string& layer,
                            const std::vector<int64_t>& target, const AttributionMethod& method) {
  std::vector<Tensor> parts;
  for (int64_t n = 0; n < x.size(0); ++n) {
    Tensor example = x.slice(0, n, n + 1).detach();
    parts.push_back(method(from_layer(model, example, layer), activation_of(model, example, layer),
                           targets_of(target, {n})));
  }
  NoGrad off;
  return concatenate(parts);
}

int64_t examples_per_pass(const Scores& model, const Tensor& x, const PassLimit& limit) {
  int64_t examples = std::max<int64_t>(limit.examples, 1);
  if (limit.bytes == 0 || x.size(0) == 0) return examples;
  EnableGrad on;
  size_t before = memory::stats(x.device()).active;
  Tensor one = x.slice(0, 0, 1).detach().clone().set_requires_grad();
  Tensor scores = model(one);
  size_t after = memory::stats(x.device()).active;
  size_t each = 3 * std::max<size_t>(after > before ? after - before : 0, 1);
  return std::clamp<int64_t>(static_cast<int64_t>(limit.bytes / each), 1, examples);
}

Tensor rows_of(const Tensor& x, const std::vector<int64_t>& examples) {
  auto count = static_cast<int64_t>(examples.size());
  bool all = count == x.size(0);
  for (int64_t i = 0; i < count && all; ++i) all = examples[static_cast<size_t>(i)] == i;
  return all ? x : index_select(x, 0, from_vector(examples, {count}).to(x.device()));
}

Tensor column_like(const std::vector<double>& values, const Tensor& x) {
  Dims shape = Dims::filled(x.rank(), 1);
  shape[0] = static_cast<int64_t>(values.size());
  return from_vector(values, shape).to(x.dtype()).to(x.device());
}

}  // namespace strata::introspect
