#include "tools/introspect/units/concepts.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "tools/introspect/attribution/target.h"
#include "tools/introspect/capture.h"
#include "tools/introspect/linear_algebra.h"
#include "tools/introspect/representation/probe.h"

namespace strata::introspect {
namespace {

Tensor flat(const Tensor& activation) {
  return activation.detach().reshape({activation.size(0), -1}).contiguous();
}

// Every fourth row is held out.
struct Halves {
  std::vector<int64_t> train, validation;
};
Halves split_rows(int64_t count) {
  Halves halves;
  for (int64_t i = 0; i < count; ++i) (i % 4 == 3 ? halves.validation : halves.train).push_back(i);
  return halves;
}

// Orthonormal columns that span the rows of x [n, D], [D, r]; without directions in which the rows
// vary by less than rounding.
Tensor basis_of_rows(const Tensor& x) {
  EigenPairs pairs = symmetric_eigen(matmul(x, x.transpose(0, 1)));
  double least = pairs.values.front() * (x.dtype() == DType::f64 ? 1e-12 : 1e-6);
  auto rank = std::count_if(pairs.values.begin(), pairs.values.end(),
                            [&](double value) { return value > least; });
  Tensor sizes = sqrt(from_vector(pairs.values, {x.size(0)})).slice(0, 0, rank);
  Tensor mixes = pairs.vectors.slice(1, 0, rank) / sizes;
  return matmul(x.transpose(0, 1), mixes.to(x.dtype()));
}

double mean_of(const std::vector<double>& x) {
  return std::accumulate(x.begin(), x.end(), 0.0) / static_cast<double>(x.size());
}
// Of the mean: the sample variance over the count.
double variance_of_mean(const std::vector<double>& x) {
  double m = mean_of(x), sum = 0;
  for (double v : x) sum += (v - m) * (v - m);
  return sum / static_cast<double>(x.size() - 1) / static_cast<double>(x.size());
}

// The regularised incomplete beta function I_x(a, b) by its continued fraction (DLMF 8.17.22,
// evaluated as Lentz 1976), which converges fast for x < (a + 1) / (a + b + 2).
double incomplete_beta(double x, double a, double b) {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  if (x > (a + 1) / (a + b + 2)) return 1 - incomplete_beta(1 - x, b, a);
  double front = std::exp(std::lgamma(a + b) - std::lgamma(a) - std::lgamma(b) + a * std::log(x) +
                          b * std::log1p(-x)) /
                 a;
  constexpr double tiny = 1e-300;
  double c = 1, d = 0, fraction = 1;
  for (int i = 0; i < 500; ++i) {
    int m = i / 2;
    double term = 1;
    if (i > 0 && i % 2 == 0) term = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    if (i % 2 == 1) term = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 + term * d;
    d = 1 / (std::abs(d) < tiny ? tiny : d);
    c = 1 + term / c;
    if (std::abs(c) < tiny) c = tiny;
    fraction *= c * d;
    if (i > 0 && std::abs(c * d - 1) < 1e-15) break;
  }
  return front * (fraction - 1);
}

// Two-sided, of t^2 at `freedom` degrees of freedom.
double student_p_value(double square, double freedom) {
  return incomplete_beta(freedom / (freedom + square), freedom / 2, 0.5);
}

// Whether `value` could be one more of the sample: t of the distance to their mean, whose variance
// is theirs times 1 + 1/n.
double prediction_p_value(double value, const std::vector<double>& sample) {
  auto n = static_cast<double>(sample.size());
  double gap = value - mean_of(sample), variance = variance_of_mean(sample) * n * (1 + 1 / n);
  if (variance == 0) return gap == 0 ? 1 : 0;
  return student_p_value(gap * gap / variance, n - 1);
}

}  // namespace

ConceptVector concept_vector(const Tensor& with, const Tensor& without, double l2) {
  NoGrad off;
  Tensor a = flat(with), b = flat(without);
  if (a.size(1) != b.size(1) || a.size(0) < 4 || b.size(0) < 4) {
    fail("concept_vector", Caller{},
         "activations {} and {}: expected at least 4 examples each, of "
         "the same shape",
         describe(with), describe(without));
  }
  Halves ours = split_rows(a.size(0)), others = split_rows(b.size(0));
  auto joined = [&](const std::vector<int64_t>& first, const std::vector<int64_t>& second) {
    return concatenate({rows_of(a, first), rows_of(b, second)}, 0);
  };
  auto labels = [](size_t ones_count, size_t zeros_count) {
    std::vector<int64_t> values(ones_count + zeros_count, 0);
    std::fill_n(values.begin(), ones_count, 1);
    return values;
  };
  ProbeTask task{"concept", 2, labels(ours.train.size(), others.train.size()),
                 labels(ours.validation.size(), others.validation.size())};
  ProbeOptions options;
  options.l2 = l2;
  Tensor train = joined(ours.train, others.train);
  Tensor validation = joined(ours.validation, others.validation);
  // An L2-regularised optimum lies in the span of the examples, so where these are few it is
  // looked for there: the same direction from n numbers an example instead of D.
  Tensor basis;
  if (train.size(0) < train.size(1)) {
    basis = basis_of_rows(train);
    train = matmul(train, basis);
    validation = matmul(validation, basis);
  }
  ProbeResult probe = fit_probes(train, validation, {task}, options)[0];
  Tensor direction = probe.weight.select(1, 1) - probe.weight.select(1, 0);
  if (basis.defined()) direction = matmul(basis, direction);
  return {direction / (norm(direction) + 1e-30), probe.validation_accuracy};
}

Tensor layer_gradients(const Scores& model, const Tensor& x, const std::string& layer,
                       int64_t target) {
  EnableGrad on;
  Capture capture({layer});
  Tensor input = x.detach();
  input.set_requires_grad();  // so that the layer is in the graph even when no parameter is
  std::vector<int64_t> targets(static_cast<size_t>(x.size(0)), target);
  Tensor score = sum(target_scores(model(input), targets));
  Tensor activation = capture[layer];
  Tensor gradient = grad(std::vector<Tensor>{score}, std::vector<Tensor>{activation}, {},
                         {.allow_unused = true})[0];
  return gradient.defined() ? flat(gradient) : zeros_like(flat(activation));
}

double tcav_score(const Tensor& gradients, const Tensor& direction) {
  NoGrad off;
  Tensor slopes = matmul(gradients, direction.to(gradients.dtype()));
  return mean(greater(slopes, zeros_like(slopes)).to(DType::f64)).item();
}

double welch_p_value(const std::vector<double>& a, const std::vector<double>& b) {
  if (a.size() < 2 || b.size() < 2) {
    fail("welch_p_value", Caller{}, "{} and {} values: expected at least 2 each", a.size(),
         b.size());
  }
  double va = variance_of_mean(a), vb = variance_of_mean(b), gap = mean_of(a) - mean_of(b);
  if (va + vb == 0) return gap == 0 ? 1 : 0;
  double square = gap * gap / (va + vb);
  double freedom =
      (va + vb) * (va + vb) /
      (va * va / static_cast<double>(a.size() - 1) + vb * vb / static_cast<double>(b.size() - 1));
  return student_p_value(square, freedom);
}

TcavResult tcav(const Scores& model, const std::string& layer, const Tensor& examples,
                int64_t target, const Tensor& concept_inputs, const std::vector<Tensor>& random,
                double l2) {
  if (random.size() < 3) {
    fail("tcav", Caller{}, "{} random sets: the tests need at least 3, and 10 to say much",
         random.size());
  }
  Tensor gradients = layer_gradients(model, examples, layer, target);
  Tensor ours = activation_of(model, concept_inputs, layer);
  std::vector<Tensor> others;
  for (const Tensor& inputs : random) others.push_back(activation_of(model, inputs, layer));
  TcavResult result;
  size_t sets = others.size();
  std::vector<double> against_all(sets, 0);  // mean score of each random set as the concept
  for (size_t i = 0; i < sets; ++i) {
    ConceptVector found = concept_vector(ours, others[i], l2);
    result.scores.push_back(tcav_score(gradients, found.direction));
    result.accuracy += found.accuracy / static_cast<double>(sets);
    for (size_t j = i + 1; j < sets; ++j) {
      Tensor chance = concept_vector(others[i], others[j], l2).direction;
      double score = tcav_score(gradients, chance), reverse = tcav_score(gradients, -chance);
      if (j == i + 1) result.control.push_back(score);
      against_all[i] += score / static_cast<double>(sets - 1);
      against_all[j] += reverse / static_cast<double>(sets - 1);
    }
  }
  result.mean = mean_of(result.scores);
  result.control_mean = mean_of(result.control);
  result.p_value = welch_p_value(result.scores, result.control);
  result.example_p_value = prediction_p_value(result.mean, against_all);
  return result;
}

}  // namespace strata::introspect
