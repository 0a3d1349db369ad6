#include "tools/introspect/representation/logistic.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "tools/introspect/linear_algebra.h"
#include "tools/introspect/representation/lbfgs.h"
#include "tools/introspect/representation/logistic_pass.h"

namespace strata::introspect {
namespace {

constexpr int64_t widest_gram = 2048, rows_a_chunk = 512;

// One label set as it is solved: with the classes that have examples (all, if the bias is
// penalised), its parameters a row a class, [W' b].
struct Problem {
  int64_t all_classes;
  std::vector<int64_t> present;  // classes that take part
  std::vector<int64_t> labels;   // as positions in `present`
  Lbfgs search;
  int64_t classes() const { return static_cast<int64_t>(present.size()); }
};

std::vector<int64_t> classes_present(const LabelSet& set, bool all) {
  std::vector<char> seen(static_cast<size_t>(set.classes), all);
  for (int64_t y : set.labels) seen[static_cast<size_t>(y)] = 1;
  std::vector<int64_t> present;
  for (int64_t c = 0; c < set.classes; ++c) {
    if (seen[static_cast<size_t>(c)]) present.push_back(c);
  }
  return present;
}

// Takes the mean out of the biases, which changes no probability.
void centre_bias(std::vector<double>& parameters, int64_t classes) {
  size_t width = parameters.size() / static_cast<size_t>(classes);
  double total = 0;
  for (size_t at = width - 1; at < parameters.size(); at += width) total += parameters[at];
  for (size_t at = width - 1; at < parameters.size(); at += width) {
    parameters[at] -= total / static_cast<double>(classes);
  }
}

Problem problem_of(const LabelSet& set, int64_t width, const Tensor& start, Lbfgs::Metric metric,
                   const LogisticOptions& options) {
  auto present = classes_present(set, options.bias_l2 > 0);
  std::vector<int64_t> position(static_cast<size_t>(set.classes), -1), labels;
  for (size_t c = 0; c < present.size(); ++c) {
    position[static_cast<size_t>(present[c])] = static_cast<int64_t>(c);
  }
  for (int64_t y : set.labels) labels.push_back(position[static_cast<size_t>(y)]);
  auto classes = static_cast<int64_t>(present.size());
  std::vector<double> first(static_cast<size_t>(classes * width), 0.0);
  if (start.defined()) {
    Tensor rows = index_select(start.transpose(0, 1), 0, from_vector(present, {classes}));
    first = rows.to_vector<double>();
  }
  if (options.bias_l2 == 0) centre_bias(first, classes);
  return {set.classes, std::move(present), std::move(labels), Lbfgs(first, std::move(metric))};
}

// Adds the penalty's gradient to `gradient` and returns its value.
double penalise(std::vector<double>& gradient, const std::vector<double>& parameters, size_t width,
                const LogisticOptions& options) {
  double value = 0;
  for (size_t i = 0; i < parameters.size(); ++i) {
    double strength = (i + 1) % width == 0 ? options.bias_l2 : options.l2;
    gradient[i] += strength * parameters[i];
    value += strength / 2 * parameters[i] * parameters[i];
  }
  return value;
}

// Tells every problem in `active` value and gradient at its trial point, by one pass for all.
void evaluate(const Tensor& x, const std::vector<Problem*>& active,
              const LogisticOptions& options) {
  std::vector<PassLabels> sets;
  std::vector<double> weights;
  for (Problem* p : active) {
    sets.push_back({p->classes(), p->labels.data()});
    weights.insert(weights.end(), p->search.trial().begin(), p->search.trial().end());
  }
  PassResult found = logistic_pass(x, sets, weights);
  auto next = found.gradient.begin();
  for (size_t i = 0; i < active.size(); ++i) {
    Lbfgs& search = active[i]->search;
    auto size = static_cast<std::ptrdiff_t>(search.trial().size());
    std::vector<double> gradient(next, next + size);
    next += size;
    double penalty =
        penalise(gradient, search.trial(), static_cast<size_t>(x.size(1) + 1), options);
    search.tell(found.losses[i] + penalty, std::move(gradient));
  }
}

// sum (x - m)' (x - m) of the rows, or its diagonal, [D, D] or [D] in f64. Rows are centred a chunk
// at a time: no copy of x, and the f32 products do not drown in the means.
Tensor scatter(const Tensor& x, const Tensor& centre, bool diagonal) {
  int64_t n = x.size(0), d = x.size(1);
  Tensor total = zeros(diagonal ? Dims{d} : Dims{d, d}, DType::f64);
  for (int64_t first = 0; first < n; first += rows_a_chunk) {
    Tensor rows = x.slice(0, first, std::min(n, first + rows_a_chunk)) - centre;
    add_(total,
         (diagonal ? sum(square(rows), {0}) : matmul(rows.transpose(0, 1), rows)).to(DType::f64));
  }
  return total;
}

// M v for the M of metric_of, v of rows [w b]; p is the symmetric P [d, d] or its diagonal [d].
// Plain loops: a few million operations, for which waking threads at every step costs more than it
// saves.
std::vector<double> preconditioned(const std::vector<double>& v, const std::vector<double>& m,
                                   double bias_variance, const std::vector<double>& p) {
  size_t d = m.size(), rows = v.size() / (d + 1);
  bool diagonal = p.size() == d;
  std::vector<double> centred(v), result(v.size());
  for (size_t r = 0; r < rows; ++r) {
    double *row = centred.data() + r * (d + 1), bias = row[d];
    for (size_t j = 0; j < d; ++j) row[j] -= bias * m[j];
  }
  for (size_t i = 0; i < d; ++i) {
    for (size_t r = 0; r < rows; ++r) {
      const double *row = centred.data() + r * (d + 1), *column = p.data() + (diagonal ? 0 : i * d);
      double total = 0;
      if (diagonal) {
        total = row[i] * p[i];
      } else {
#pragma omp simd reduction(+ : total)
        for (size_t j = 0; j < d; ++j) total += row[j] * column[j];
      }
      result[r * (d + 1) + i] = total;
    }
  }
  for (size_t r = 0; r < rows; ++r) {
    double* row = result.data() + r * (d + 1);
    double shift = 0;
    for (size_t j = 0; j < d; ++j) shift += row[j] * m[j];
    row[d] = v[r * (d + 1) + d] * bias_variance - shift;
  }
  return result;
}

// The inverse of the Hessian at W = 0 (on what sums to 0 over the classes), applied a class at a
// time. With b' = b + m W, m the mean of the features, W and b' do not interact in the loss; so
// M = [P, -P m'; -m P, v + m P m'], P = (C / classes + l2)^-1 for the covariance C, is exact but
// for the penalty of b.
Lbfgs::Metric metric_of(const Tensor& x, double classes, const LogisticOptions& options) {
  int64_t n = x.size(0), d = x.size(1);
  bool diagonal = d > widest_gram;
  Tensor centre = mean(x, {0});
  Tensor curvature = scatter(x, centre, diagonal) / (classes * static_cast<double>(n));
  Tensor same = diagonal ? ones({d}, DType::f64) : eye(d, DType::f64);
  double trace = sum(curvature * same).item();
  if (!std::isfinite(trace)) {
    fail("fit_logistic", Caller{},
         "features {} hold NaN, infinity or values whose squares overflow", describe(x));
  }
  // Rounding may have made the matrix a little indefinite.
  double floor = (x.dtype() == DType::f64 ? 1e-13 : 2e-6) * trace;
  double bias_variance = 1 / (1 / classes + options.bias_l2);
  Tensor damped = curvature + same * (options.l2 + floor);
  auto values = (diagonal ? reciprocal(damped) : inverse_positive(damped)).to_vector<double>();
  return [=, m = centre.to_vector<double>()](const std::vector<double>& v) {
    return preconditioned(v, m, bias_variance, values);
  };
}

LogisticFit result_of(const Problem& p, const Tensor& x, const LogisticOptions& options) {
  int64_t d = x.size(1);
  auto parameters = p.search.point();
  std::vector<double> nothing(parameters.size(), 0.0);
  double penalty = penalise(nothing, parameters, static_cast<size_t>(d + 1), options);
  if (options.bias_l2 == 0) centre_bias(parameters, p.classes());
  Tensor rows = from_vector(parameters, {p.classes(), d + 1});
  Tensor weight = zeros({p.all_classes, d}, DType::f64);
  Tensor bias = full({p.all_classes}, -std::numeric_limits<double>::infinity(), DType::f64);
  for (int64_t c = 0; c < p.classes(); ++c) {
    int64_t to = p.present[static_cast<size_t>(c)];
    copy_(weight.select(0, to), rows.select(0, c).slice(0, 0, d));
    copy_(bias.slice(0, to, to + 1), rows.select(0, c).slice(0, d, d + 1));
  }
  return {weight.transpose(0, 1).contiguous().to(x.dtype()),
          bias.to(x.dtype()),
          p.search.value() - penalty,
          p.search.value(),
          p.search.gradient_norm(),
          p.search.steps()};
}

void check(const Tensor& x, const std::vector<LabelSet>& sets, const LogisticOptions& options,
           const Tensor& start) {
  if (x.rank() != 2 || x.size(0) < 1 || (x.dtype() != DType::f32 && x.dtype() != DType::f64)) {
    fail("fit_logistic", Caller{}, "features {} must be f32 or f64 [n, D] with n at least 1",
         describe(x));
  }
  if (!(options.l2 > 0) || options.bias_l2 < 0) {
    fail("fit_logistic", Caller{},
         "l2 is {} and bias_l2 {}; without l2 above 0 there need not be an optimum (classes that a "
         "plane separates have none), and bias_l2 is at least 0",
         options.l2, options.bias_l2);
  }
  int64_t total = 0;
  for (const LabelSet& set : sets) {
    total += set.classes;
    auto in_range = [&](int64_t y) { return y >= 0 && y < set.classes; };
    if (static_cast<int64_t>(set.labels.size()) != x.size(0) ||
        !std::all_of(set.labels.begin(), set.labels.end(), in_range)) {
      fail("fit_logistic", Caller{}, "labels must be {} numbers from 0 to {}, one a row of {}",
           x.size(0), set.classes - 1, describe(x));
    }
  }
  if (start.defined() && start.shape() != Dims{x.size(1) + 1, total}) {
    fail("fit_logistic", Caller{}, "start {} must be [D + 1, K] = [{}, {}]", describe(start),
         x.size(1) + 1, total);
  }
}

}  // namespace

std::vector<LogisticFit> fit_logistic(const Tensor& features, const std::vector<LabelSet>& sets,
                                      const LogisticOptions& options, const Tensor& start) {
  NoGrad off;
  check(features, sets, options, start);
  if (sets.empty()) return {};
  Tensor x = features.contiguous();
  int64_t total = 0;
  for (const LabelSet& set : sets) total += set.classes;
  auto metric =
      metric_of(x, static_cast<double>(total) / static_cast<double>(sets.size()), options);
  std::vector<Problem> problems;
  int64_t first = 0;
  for (const LabelSet& set : sets) {
    Tensor mine = start.defined() ? start.slice(1, first, first + set.classes) : Tensor();
    problems.push_back(problem_of(set, x.size(1) + 1, mine, metric, options));
    first += set.classes;
  }
  while (true) {
    std::vector<Problem*> active;
    for (Problem& p : problems) {
      const Lbfgs& s = p.search;
      if (s.gradient_norm() >= options.tolerance && s.steps() < options.max_iterations &&
          !s.stalled()) {
        active.push_back(&p);
      }
    }
    if (active.empty()) break;
    evaluate(x, active, options);
  }
  std::vector<LogisticFit> fits;
  for (const Problem& p : problems) fits.push_back(result_of(p, x, options));
  return fits;
}

double log_loss(const Tensor& logits, const std::vector<int64_t>& labels) {
  NoGrad off;
  Tensor target = from_vector(labels, {static_cast<int64_t>(labels.size())});
  return cross_entropy(logits.to(DType::f64), target).item();
}

double accuracy(const Tensor& logits, const std::vector<int64_t>& labels) {
  NoGrad off;
  if (labels.empty()) return 0;
  auto answers = argmax(logits, 1).to_vector<int64_t>();
  int64_t right = 0;
  for (size_t i = 0; i < answers.size(); ++i) right += answers[i] == labels[i];
  return static_cast<double>(right) / static_cast<double>(answers.size());
}

}  // namespace strata::introspect
