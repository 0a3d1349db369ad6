#include "tools/introspect/representation/probe.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"

namespace strata::introspect {
namespace {

void check(const Tensor& train, const Tensor& validation, const std::vector<ProbeTask>& tasks) {
  if (train.rank() != 2 || validation.rank() != 2 || train.size(1) != validation.size(1)) {
    fail("fit_probes", Caller{}, "features {} and {} must be [n, D] and [m, D]", describe(train),
         describe(validation));
  }
  for (const ProbeTask& task : tasks) {
    auto fits = [&](const std::vector<int64_t>& labels, int64_t rows) {
      return static_cast<int64_t>(labels.size()) == rows &&
             std::all_of(labels.begin(), labels.end(),
                         [&](int64_t y) { return y >= 0 && y < task.classes; });
    };
    if (!fits(task.train, train.size(0)) || !fits(task.validation, validation.size(0))) {
      fail("fit_probes", Caller{}, "the labels of '{}' must be {} and {} numbers from 0 to {}",
           task.name, train.size(0), validation.size(0), task.classes - 1);
    }
  }
}

}  // namespace

double chance_of(const std::vector<int64_t>& labels) {
  std::map<int64_t, int64_t> counts;
  int64_t most = 0;
  for (int64_t label : labels) most = std::max(most, ++counts[label]);
  return labels.empty() ? 0 : static_cast<double>(most) / static_cast<double>(labels.size());
}

double ProbeResult::normalised_accuracy() const {
  return ceiling > chance ? (validation_accuracy - chance) / (ceiling - chance) : 0;
}

double ProbeResult::margin(int64_t m) const {
  return 1.96 * std::sqrt(validation_accuracy * (1 - validation_accuracy) / static_cast<double>(m));
}

std::vector<ProbeResult> fit_probes(const Tensor& train, const Tensor& validation,
                                    const std::vector<ProbeTask>& tasks,
                                    const ProbeOptions& options, const Tensor& start) {
  NoGrad off;
  check(train, validation, tasks);
  std::vector<LabelSet> sets;
  for (const ProbeTask& task : tasks) sets.push_back({task.classes, task.train});
  auto fits = fit_logistic(train, sets, options, start);
  std::vector<ProbeResult> results;
  for (size_t t = 0; t < tasks.size(); ++t) {
    const LogisticFit& fit = fits[t];
    ProbeResult r;
    r.name = tasks[t].name;
    r.train_accuracy = accuracy(matmul(train, fit.weight) + fit.bias, tasks[t].train);
    Tensor held_out = matmul(validation, fit.weight) + fit.bias;
    r.validation_accuracy = accuracy(held_out, tasks[t].validation);
    if (!tasks[t].validation.empty()) r.validation_loss = log_loss(held_out, tasks[t].validation);
    r.train_loss = fit.loss;
    r.chance = chance_of(tasks[t].validation);
    r.ceiling = tasks[t].ceiling;
    r.gradient = fit.gradient;
    r.iterations = fit.iterations;
    r.weight = fit.weight;
    r.bias = fit.bias;
    results.push_back(std::move(r));
  }
  return results;
}

}  // namespace strata::introspect
