#include "tools/experiments/population_codes.h"

#include <algorithm>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"

namespace strata::experiments {
namespace {

Tensor logits_of(const Head& head, const Tensor& features) {
  return matmul(features, head.weight) + head.bias;
}

void check(const char* name, const Head& head, const Tensor& features,
           const std::vector<int64_t>& labels) {
  if (features.rank() == 2 && features.size(1) == head.weight.size(0) &&
      features.size(0) == static_cast<int64_t>(labels.size()))
    return;
  fail(name, Caller{}, "features {} with {} labels do not fit a head {} [units, classes]",
       describe(features), labels.size(), describe(head.weight));
}

}  // namespace

std::vector<UnitAndPopulation> unit_and_population(
    const Tensor& train, const Tensor& validation,
    const std::vector<introspect::ProbeTask>& tasks) {
  NoGrad off;
  const Tensor middle = mean(train, {0}, true), scale = sqrt(var(train, {0}, true, 0) + 1e-12);
  const Tensor x = (train - middle) / scale, z = (validation - middle) / scale;
  std::vector<UnitAndPopulation> result(tasks.size());
  std::vector<double> best(tasks.size(), -1);
  for (int64_t u = 0; u < x.size(1); ++u) {
    const auto probes = introspect::fit_probes(x.slice(1, u, u + 1).contiguous(),
                                               z.slice(1, u, u + 1).contiguous(), tasks);
    for (size_t t = 0; t < tasks.size(); ++t) {
      if (probes[t].train_accuracy <= best[t]) continue;
      best[t] = probes[t].train_accuracy;
      result[t].unit = u;
      result[t].unit_accuracy = probes[t].validation_accuracy;
    }
  }
  const auto all = introspect::fit_probes(x, z, tasks);
  for (size_t t = 0; t < tasks.size(); ++t) {
    result[t].population_accuracy = all[t].validation_accuracy;
    result[t].chance = all[t].chance;
  }
  return result;
}

double head_accuracy(const Head& head, const Tensor& features, const std::vector<int64_t>& labels) {
  NoGrad off;
  check("head_accuracy", head, features, labels);
  return introspect::accuracy(logits_of(head, features), labels);
}

double direction_cost(const Head& head, const Tensor& features, const std::vector<int64_t>& labels,
                      const Tensor& direction) {
  NoGrad off;
  const Tensor along = (direction / norm(direction)).reshape({-1, 1});
  const Tensor centred = features - mean(features, {0}, true);
  const Tensor without = features - matmul(matmul(centred, along), along.transpose(0, 1));
  return head_accuracy(head, features, labels) - head_accuracy(head, without, labels);
}

std::vector<double> unit_costs(const Head& head, const Tensor& features,
                               const std::vector<int64_t>& labels) {
  const Tensor axes = eye(features.size(1), features.dtype());
  std::vector<double> costs;
  for (int64_t u = 0; u < features.size(1); ++u)
    costs.push_back(direction_cost(head, features, labels, axes.select(0, u)));
  return costs;
}

std::vector<Tensor> class_directions(const Tensor& features, const std::vector<int64_t>& labels,
                                     int64_t classes) {
  NoGrad off;
  std::vector<introspect::LabelSet> sets;
  for (int64_t k = 0; k < classes; ++k) {
    sets.push_back({2, {}});
    for (int64_t label : labels) sets.back().labels.push_back(label == k);
  }
  std::vector<Tensor> directions;
  for (const introspect::LogisticFit& fit : introspect::fit_logistic(features, sets)) {
    const Tensor normal = fit.weight.select(1, 1) - fit.weight.select(1, 0);
    directions.push_back(normal / norm(normal));
  }
  return directions;
}

Service service(const Head& head, const Tensor& features, const std::vector<int64_t>& labels) {
  NoGrad off;
  check("service", head, features, labels);
  const int64_t units = head.weight.size(0), classes = head.weight.size(1);
  Service result{std::vector<int64_t>(static_cast<size_t>(units), 0), {}, 0};
  for (int64_t k = 0; k < classes; ++k) {
    std::vector<int64_t> rows;
    for (size_t i = 0; i < labels.size(); ++i)
      if (labels[i] == k) rows.push_back(static_cast<int64_t>(i));
    result.units_of_class.push_back(0);
    if (rows.empty()) continue;
    const Tensor seen =
        index_select(features, 0, from_vector(rows, {static_cast<int64_t>(rows.size())}));
    const Tensor part = mean(abs(seen * head.weight.select(1, k)), {0}).to(DType::f64);
    const double share = sum(part).item() / static_cast<double>(units);
    const std::vector<double> parts = part.to_vector<double>();
    for (size_t u = 0; u < parts.size(); ++u) {
      if (parts[u] < share || parts[u] == 0) continue;
      ++result.classes_of_unit[u];
      ++result.units_of_class.back();
    }
  }
  double serving = 0, several = 0;
  for (int64_t n : result.classes_of_unit) serving += n >= 1, several += n >= 2;
  result.reused = serving > 0 ? several / serving : 0;
  return result;
}

}  // namespace strata::experiments
