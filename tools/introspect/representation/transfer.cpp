#include "tools/introspect/representation/transfer.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "tools/introspect/linear_algebra.h"

namespace strata::introspect {
namespace {

// Rows of `shots` training examples of each class, in a new random order.
std::vector<int64_t> draw_rows(const ProbeTask& task, int64_t shots, Generator& generator) {
  std::vector<int64_t> left(static_cast<size_t>(task.classes), shots), rows;
  auto order = randperm(static_cast<int64_t>(task.train.size()), &generator).to_vector<int64_t>();
  for (int64_t i : order) {
    if (left[static_cast<size_t>(task.train[static_cast<size_t>(i)])]-- > 0) rows.push_back(i);
  }
  return rows;
}

// Evidence of y = x w + noise, w ~ N(0, 1/alpha), noise ~ N(0, 1/beta), at the fixed point of
// MacKay's updates. squares: eigenvalues of x'x; codes: squares of u'y; rest: |y|^2 outside the
// span of x.
double evidence(const std::vector<double>& squares, const std::vector<double>& codes, double rest,
                double n, double d) {
  double alpha = 1, beta = 1, fit = 0, weight = 0, curvature = 0;
  for (int step = 0; step < 100; ++step) {
    double gamma = 0, t = alpha / beta;
    fit = rest;
    weight = curvature = 0;
    for (size_t i = 0; i < squares.size(); ++i) {
      double s = squares[i];
      gamma += s / (s + t);
      weight += codes[i] * s / ((s + t) * (s + t));
      fit += codes[i] * t * t / ((s + t) * (s + t));
      curvature += std::log(alpha + beta * s);
    }
    curvature += (d - static_cast<double>(squares.size())) * std::log(alpha);
    double next_alpha = gamma / std::max(weight, 1e-12);
    double next_beta = (n - gamma) / std::max(fit, 1e-12);
    bool settled = std::abs(next_alpha / next_beta - t) <= 1e-5 * t;
    if (settled) break;
    alpha = next_alpha;
    beta = next_beta;
  }
  return (d * std::log(alpha) + n * std::log(beta) - n * std::log(2 * M_PI) - beta * fit -
          alpha * weight - curvature) /
         (2 * n);
}

void check(const char* op, const Tensor& x, const LabelSet& labels) {
  auto in_range = [&](int64_t y) { return y >= 0 && y < labels.classes; };
  if (x.rank() != 2 || x.size(0) < 2 || x.size(0) != static_cast<int64_t>(labels.labels.size()) ||
      !std::all_of(labels.labels.begin(), labels.labels.end(), in_range)) {
    fail(op, Caller{}, "{} must be [n, D] with {} labels from 0 to {}, n at least 2", describe(x),
         labels.labels.size(), labels.classes - 1);
  }
}

}  // namespace

size_t TransferTable::best_layer(size_t task) const {
  size_t best = 0;
  for (size_t l = 1; l < probes.size(); ++l) {
    if (probes[l][task].validation_accuracy > probes[best][task].validation_accuracy) best = l;
  }
  return best;
}

TransferTable transfer_scores(const std::vector<LayerFeatures>& layers,
                              const std::vector<ProbeTask>& tasks, const ProbeOptions& options) {
  TransferTable table;
  for (const ProbeTask& task : tasks) table.tasks.push_back(task.name);
  for (const LayerFeatures& layer : layers) {
    table.layers.push_back(layer.name);
    table.probes.push_back(fit_probes(layer.train, layer.validation, tasks, options));
  }
  return table;
}

std::vector<FewShotPoint> few_shot_curve(const Tensor& train, const Tensor& validation,
                                         const ProbeTask& task, const std::vector<int64_t>& shots,
                                         int draws, const ProbeOptions& options, uint64_t seed) {
  NoGrad off;
  Generator generator(seed);
  std::vector<FewShotPoint> curve;
  for (int64_t count : shots) {
    std::vector<double> scores;
    for (int i = 0; i < draws; ++i) {
      auto rows = draw_rows(task, count, generator);
      auto expected = count * task.classes;
      if (count < 1 || static_cast<int64_t>(rows.size()) != expected) {
        fail("few_shot_curve", Caller{},
             "{} examples of each of {} classes of '{}' are wanted, {} were found", count,
             task.classes, task.name, rows.size());
      }
      ProbeTask few{task.name, task.classes, {}, task.validation};
      for (int64_t row : rows) few.train.push_back(task.train[static_cast<size_t>(row)]);
      Tensor x = index_select(train, 0, from_vector(rows, {expected}));
      scores.push_back(fit_probes(x, validation, {few}, options)[0].validation_accuracy);
    }
    FewShotPoint point{count, 0, 0};
    for (double s : scores) point.mean += s / draws;
    for (double s : scores) point.deviation += (s - point.mean) * (s - point.mean);
    point.deviation = draws > 1 ? std::sqrt(point.deviation / (draws - 1)) : 0;
    curve.push_back(point);
  }
  return curve;
}

double shots_to_reach(const std::vector<FewShotPoint>& curve, double accuracy) {
  for (size_t i = 0; i < curve.size(); ++i) {
    if (curve[i].mean < accuracy) continue;
    if (i == 0) return static_cast<double>(curve[i].shots);
    double here = std::log(static_cast<double>(curve[i].shots));
    double before = std::log(static_cast<double>(curve[i - 1].shots));
    double share = (accuracy - curve[i - 1].mean) / (curve[i].mean - curve[i - 1].mean);
    return std::exp(before + share * (here - before));
  }
  return std::numeric_limits<double>::infinity();
}

double log_evidence(const Tensor& x, const LabelSet& labels) {
  NoGrad off;
  check("log_evidence", x, labels);
  auto n = x.size(0);
  ThinSvd svd = thin_svd(x.to(DType::f64));
  Tensor targets = one_hot(from_vector(labels.labels, {n}), labels.classes, DType::f64);
  Tensor codes = square(matmul(svd.left.transpose(0, 1), targets));  // [r, classes]
  std::vector<double> squares;
  for (double s : svd.values) squares.push_back(s * s);
  double total = 0;
  for (int64_t c = 0; c < labels.classes; ++c) {
    auto mine = codes.select(1, c).to_vector<double>();
    double rest = sum(targets.select(1, c)).item();
    for (double v : mine) rest -= v;
    total += evidence(squares, mine, std::max(rest, 0.0), static_cast<double>(n),
                      static_cast<double>(x.size(1)));
  }
  return total / static_cast<double>(labels.classes);
}

double leep(const Tensor& source_probabilities, const LabelSet& labels) {
  NoGrad off;
  check("leep", source_probabilities, labels);
  int64_t n = source_probabilities.size(0);
  Tensor theta = source_probabilities.to(DType::f64);
  Tensor targets = one_hot(from_vector(labels.labels, {n}), labels.classes, DType::f64);
  Tensor joint = matmul(targets.transpose(0, 1), theta);  // [classes, Z]
  Tensor total = sum(joint, {0}, true);
  Tensor one = ones({}, DType::f64);
  Tensor conditional = joint / where(equal(total, one * 0.0), one, total);
  Tensor predicted = matmul(theta, conditional.transpose(0, 1));
  return mean(log(sum(predicted * targets, {1}))).item();
}

}  // namespace strata::introspect
