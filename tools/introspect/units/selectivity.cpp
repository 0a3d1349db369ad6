#include "tools/introspect/units/selectivity.h"

#include <algorithm>
#include <numeric>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "tools/introspect/representation/probe.h"

namespace strata::introspect {
namespace {

// Means over places, [N, C].
Tensor responses(const Tensor& activation) {
  Tensor x = activation.detach();
  return x.rank() == 2 ? x : mean(x.reshape({x.size(0), -1, x.size(-1)}), {1});
}

void check_labels(const char* op, const std::vector<int64_t>& labels, int64_t examples,
                  int64_t classes) {
  bool fits =
      static_cast<int64_t>(labels.size()) == examples &&
      std::all_of(labels.begin(), labels.end(), [&](int64_t y) { return y >= 0 && y < classes; });
  if (!fits) {
    fail(op, Caller{}, "the {} labels must be {} numbers from 0 to {}", labels.size(), examples,
         classes - 1);
  }
}

double share_right(const Scores& model, const Tensor& x, const std::vector<int64_t>& labels,
                   int64_t batch) {
  int64_t right = 0;
  for (int64_t first = 0; first < x.size(0); first += batch) {
    auto answers = argmax(model(x.slice(0, first, first + batch)), 1).to_vector<int64_t>();
    for (size_t i = 0; i < answers.size(); ++i) {
      right += answers[i] == labels[static_cast<size_t>(first) + i];
    }
  }
  return static_cast<double>(right) / static_cast<double>(std::max<int64_t>(1, x.size(0)));
}

std::vector<bool> members(const std::vector<int64_t>& labels, int64_t wanted) {
  std::vector<bool> result;
  for (int64_t label : labels) result.push_back(label == wanted);
  return result;
}

std::vector<double> column(const Tensor& x, int64_t index) {
  return x.select(1, index).to_vector<double>();
}

}  // namespace

std::vector<double> class_selectivity(const Tensor& activation, const std::vector<int64_t>& labels,
                                      int64_t classes) {
  NoGrad off;
  check_labels("class_selectivity", labels, activation.size(0), classes);
  if (min(activation).item() < 0) {
    fail("class_selectivity", Caller{},
         "{} holds {}; the index needs responses of at least 0, as "
         "those behind a ReLU",
         describe(activation), min(activation).item());
  }
  Tensor x = responses(activation).to(DType::f64);
  Tensor index = from_vector(labels, {x.size(0)});
  auto sums = index_add(zeros({classes, x.size(1)}, DType::f64), 0, index, x).to_vector<double>();
  std::vector<double> count(static_cast<size_t>(classes), 0);
  for (int64_t label : labels) ++count[static_cast<size_t>(label)];
  auto present = static_cast<double>(
      std::count_if(count.begin(), count.end(), [](double n) { return n > 0; }));
  auto units = static_cast<size_t>(x.size(1));
  std::vector<double> result;
  for (size_t u = 0; u < units; ++u) {
    double largest = 0, total = 0;
    for (size_t k = 0; k < count.size(); ++k) {
      if (count[k] == 0) continue;
      double response = sums[k * units + u] / count[k];
      largest = std::max(largest, response);
      total += response;
    }
    double others = present > 1 ? (total - largest) / (present - 1) : largest;
    result.push_back(largest + others > 0 ? (largest - others) / (largest + others) : 0);
  }
  return result;
}

std::vector<int64_t> by_falling(const std::vector<double>& values) {
  std::vector<int64_t> order(values.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    return values[static_cast<size_t>(a)] > values[static_cast<size_t>(b)];
  });
  return order;
}

std::vector<int64_t> shuffled_units(int64_t units, uint64_t seed) {
  Generator generator(seed);
  return randperm(units, &generator).to_vector<int64_t>();
}

std::vector<double> unit_magnitudes(const Tensor& activation) {
  NoGrad off;
  return mean(responses(abs(activation)), {0}).to_vector<double>();
}

AblationCurve ablation_curve(const Scores& model, const std::string& layer, const Tensor& x,
                             const std::vector<int64_t>& labels, const std::vector<int64_t>& order,
                             const std::vector<int64_t>& counts, double value, int64_t batch) {
  NoGrad off;
  if (static_cast<int64_t>(labels.size()) != x.size(0)) {
    fail("ablation_curve", Caller{}, "{} labels for {}", labels.size(), describe(x));
  }
  AblationCurve curve;
  for (int64_t count : counts) {
    if (count < 0 || count > static_cast<int64_t>(order.size())) {
      fail("ablation_curve", Caller{}, "{} units to ablate of an order of {}", count, order.size());
    }
    Edit edit(layer, ablate_units({order.begin(), order.begin() + count}, value));
    curve.ablated.push_back(count);
    curve.accuracy.push_back(share_right(model, x, labels, batch));
    if (edit.seen() == 0) {
      fail("ablation_curve", Caller{}, "the model shows no activation '{}'", layer);
    }
  }
  return curve;
}

double area_under_roc(const std::vector<double>& scores, const std::vector<bool>& positive) {
  std::vector<size_t> order(scores.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return scores[a] < scores[b]; });
  double ranks = 0, positives = 0;
  for (size_t i = 0; i < order.size();) {
    size_t end = i;
    while (end < order.size() && scores[order[end]] == scores[order[i]]) ++end;
    double rank = static_cast<double>(i + 1 + end) / 2;  // of all that are equal
    for (; i < end; ++i) {
      if (!positive[order[i]]) continue;
      ranks += rank;
      ++positives;
    }
  }
  double negatives = static_cast<double>(scores.size()) - positives;
  if (positives == 0 || negatives == 0) return 0.5;
  return (ranks - positives * (positives + 1) / 2) / (positives * negatives);
}

std::vector<UnitVersusPopulation> unit_versus_population(
    const Tensor& train, const std::vector<int64_t>& train_labels, const Tensor& validation,
    const std::vector<int64_t>& validation_labels, int64_t classes) {
  NoGrad off;
  check_labels("unit_versus_population", train_labels, train.size(0), classes);
  check_labels("unit_versus_population", validation_labels, validation.size(0), classes);
  ProbeTask task{"class", classes, train_labels, validation_labels};
  ProbeResult probe = fit_probes(train, validation, {task})[0];
  Tensor logits = matmul(validation, probe.weight) + probe.bias;
  std::vector<UnitVersusPopulation> result;
  for (int64_t k = 0; k < classes; ++k) {
    auto here = members(train_labels, k), there = members(validation_labels, k);
    UnitVersusPopulation best;
    double sign = 1, distance = -1;
    for (int64_t u = 0; u < train.size(1); ++u) {
      double area = area_under_roc(column(train, u), here);
      if (std::abs(area - 0.5) <= distance) continue;
      distance = std::abs(area - 0.5);
      sign = area < 0.5 ? -1 : 1;
      best.unit = u;
    }
    double area = area_under_roc(column(validation, best.unit), there);
    best.unit_area = sign > 0 ? area : 1 - area;
    best.population_area = area_under_roc(column(logits, k), there);
    result.push_back(best);
  }
  return result;
}

}  // namespace strata::introspect
