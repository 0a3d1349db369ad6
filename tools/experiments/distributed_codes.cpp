#include "tools/experiments/distributed_codes.h"

#include <cmath>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "tools/introspect/linear_algebra.h"
#include "tools/introspect/units/superposition.h"

namespace strata::experiments {
namespace {

// P(X = d) of the binomial distribution, by logarithms.
double binomial(int64_t n, int64_t d, double p) {
  if (p <= 0 || p >= 1) return d == (p <= 0 ? 0 : n) ? 1 : 0;
  const auto a = static_cast<double>(n), b = static_cast<double>(d);
  return std::exp(std::lgamma(a + 1) - std::lgamma(b + 1) - std::lgamma(a - b + 1) +
                  b * std::log(p) + (a - b) * std::log1p(-p));
}

}  // namespace

double share_decoded(const Tensor& codes, double flipped, int64_t rounds, Generator& generator) {
  NoGrad off;
  const int64_t n = codes.size(0);
  const Tensor all = codes.transpose(0, 1), truth = arange(0, n);
  double right = 0;
  for (int64_t round = 0; round < rounds; ++round) {
    const Tensor flips = bernoulli(codes.shape(), flipped, &generator).to(codes.dtype());
    const Tensor found = argmax(matmul(codes * (1 - 2 * flips), all), 1);
    right += sum(equal(found, truth)).item();
  }
  return right / static_cast<double>(n * rounds);
}

double expected_share_decoded(int64_t codes, int64_t units, double flipped) {
  const auto n = static_cast<double>(codes);
  double more = 1, right = 0;
  for (int64_t d = 0; d <= units; ++d) {
    const double equal = binomial(units, d, 0.5);
    more = std::max(0.0, more - equal);  // another code is further away than d
    // The difference of two powers, which nearly cancel where ties are rare.
    const double wins = n * equal < more
                            ? std::pow(more, n) * std::expm1(n * std::log1p(equal / more))
                            : std::pow(more + equal, n) - std::pow(more, n);
    right += binomial(units, d, flipped) * wins / (n * equal);
  }
  return right;
}

Tensor local_codes(int64_t codes, int64_t units) {
  std::vector<int64_t> on;
  for (int64_t i = 0; i < codes; ++i) on.push_back(i % units);
  return one_hot(from_vector(on, {codes}), units);
}

ToyRun best_toy_model(int64_t features, int64_t hidden, double density, double decay, bool linear,
                      int steps, int starts, uint64_t seed) {
  introspect::ToyOptions options{.hidden = hidden, .linear = linear, .steps = steps};
  for (int64_t i = 0; i < features; ++i)
    options.importance.push_back(std::pow(decay, static_cast<double>(i)));
  const Tensor fresh =
      introspect::sparse_features(features, 1 - density, 262144, seed + 1000003, DType::f32)(0);
  const Tensor importance = from_vector(options.importance, {features}).to(DType::f32);
  ToyRun best;
  for (int start = 0; start < starts; ++start) {
    options.seed = seed * 1000 + static_cast<uint64_t>(start);
    const introspect::ToyModel model = introspect::train_toy_model(
        introspect::sparse_features(features, 1 - density, 512, options.seed), options);
    NoGrad off;
    Tensor y = matmul(matmul(fresh, model.weight), model.weight.transpose(0, 1)) + model.bias;
    if (!linear) y = relu(y);
    const double loss =
        sum(square(fresh - y) * importance).item() / static_cast<double>(fresh.size(0));
    if (start == 0 || loss < best.loss) best = {model.weight, loss};
  }
  return best;
}

double two_feature_loss(double p) { return std::min(p / 3 - p * p / 4, p * p / 3); }

int64_t represented(const Tensor& weight) {
  int64_t count = 0;
  for (double length : norm(weight, {1}).to(DType::f64).to_vector<double>()) count += length > 0.5;
  return count;
}

LinearToy linear_toy(int64_t hidden, int steps, uint64_t seed) {
  constexpr int64_t dimensions = 12, examples = 256;
  Generator generator(seed);
  std::vector<double> deviations;
  for (int64_t i = 0; i < dimensions; ++i)
    deviations.push_back(std::pow(2.0, -0.5 * static_cast<double>(i)));
  const Tensor turn =
      introspect::orthonormal_basis(randn({dimensions, dimensions}, 0, 1, DType::f64, &generator));
  Tensor x = randn({examples, dimensions}, 0, 1, DType::f64, &generator) *
             from_vector(deviations, {dimensions});
  x = matmul(x, turn);
  x = x - mean(x, {0}, true);
  const introspect::ToyModel model = introspect::train_toy_model(
      [=](int) { return x; }, {.hidden = hidden, .linear = true, .steps = steps, .seed = seed});

  NoGrad off;
  const auto eigen =
      introspect::symmetric_eigen(matmul(x.transpose(0, 1), x) / static_cast<double>(examples));
  const Tensor leading = eigen.vectors.slice(1, 0, hidden);
  const Tensor projection = matmul(leading, leading.transpose(0, 1));
  double rest = 0;
  for (auto i = static_cast<size_t>(hidden); i < eigen.values.size(); ++i) rest += eigen.values[i];
  const Tensor kept = introspect::interference(model.weight);
  const Tensor missed = x - matmul(x, kept) - model.bias;
  return {norm(kept - projection).item() / norm(projection).item(),
          sum(square(missed)).item() / static_cast<double>(examples) / rest - 1};
}

}  // namespace strata::experiments
