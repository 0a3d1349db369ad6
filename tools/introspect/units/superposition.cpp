#include "tools/introspect/units/superposition.h"

#include <algorithm>
#include <cmath>
#include <memory>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "engine/optim.h"

namespace strata::introspect {
namespace {

Tensor checked(const Tensor& weight) {
  if (weight.rank() != 2 || !is_float(weight.dtype())) {
    fail("superposition", Caller{}, "the weight {} must be [features, units] of floats",
         describe(weight));
  }
  return weight.detach();
}

}  // namespace

Tensor interference(const Tensor& weight) {
  NoGrad off;
  Tensor w = checked(weight);
  return matmul(w, w.transpose(0, 1));
}

std::vector<double> feature_dimensionality(const Tensor& weight) {
  NoGrad off;
  Tensor gram = interference(checked(weight).to(DType::f64));
  auto overlaps = sum(square(gram), {1}).to_vector<double>();
  auto all = gram.to_vector<double>();
  size_t n = overlaps.size();
  double largest = 0;
  for (size_t i = 0; i < n; ++i) largest = std::max(largest, all[i * n + i]);
  std::vector<double> result;
  for (size_t i = 0; i < n; ++i) {
    double own = all[i * n + i];  // |W_i|^2
    bool represented = own > 1e-12 * largest && own > 0;
    result.push_back(represented ? own * own / overlaps[i] : 0);
  }
  return result;
}

double dimensions_per_feature(const Tensor& weight) {
  NoGrad off;
  return static_cast<double>(checked(weight).size(1)) / sum(square(weight.to(DType::f64))).item();
}

ToyModel train_toy_model(const std::function<Tensor(int step)>& batch, const ToyOptions& options) {
  EnableGrad on;
  Tensor first = batch(0);
  int64_t n = first.size(1);
  if (!options.importance.empty() && static_cast<int64_t>(options.importance.size()) != n) {
    fail("train_toy_model", Caller{}, "{} importances for {} features", options.importance.size(),
         n);
  }
  Tensor importance =
      options.importance.empty() ? ones({n}, first.dtype()) : from_vector(options.importance, {n});
  importance = importance.to(first.dtype());
  Generator generator(options.seed);
  double deviation = 1 / std::sqrt(static_cast<double>(n));
  ToyModel model;
  model.weight = randn({n, options.hidden}, 0, deviation, first.dtype(), &generator);
  model.bias = zeros({n}, first.dtype());
  model.weight.set_requires_grad();
  model.bias.set_requires_grad();
  Adam adam(std::vector<Tensor>{model.weight, model.bias},
            {.learning_rate = options.learning_rate});
  Scheduler schedule(adam, cosine(options.steps));
  for (int step = 0; step < options.steps; ++step) {
    Tensor x = step == 0 ? first : batch(step);
    Tensor y = matmul(matmul(x, model.weight), model.weight.transpose(0, 1)) + model.bias;
    if (!options.linear) y = relu(y);
    Tensor loss = sum(square(x - y) * importance) / static_cast<double>(x.size(0));
    adam.zero_grad();
    backward(loss);
    adam.step();
    schedule.step();
    model.loss = loss.item();
  }
  model.weight = model.weight.detach();
  model.bias = model.bias.detach();
  return model;
}

std::function<Tensor(int step)> sparse_features(int64_t features, double sparsity, int64_t batch,
                                                uint64_t seed, DType dtype) {
  auto generator = std::make_shared<Generator>(seed);
  return [=](int) {
    NoGrad off;
    Tensor values = rand({batch, features}, 0, 1, dtype, generator.get());
    Tensor present = bernoulli({batch, features}, 1 - sparsity, generator.get());
    return values * present.to(dtype);
  };
}

}  // namespace strata::introspect
