#include "tools/study/unit_ablation.h"

#include <algorithm>
#include <limits>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "tools/introspect/units/selectivity.h"

namespace strata::study {
namespace {

constexpr int64_t batch = 250;

Answers answers_of(const introspect::Scores& model, const Tensor& x,
                   const std::vector<int64_t>& labels, int64_t classes) {
  auto count = static_cast<size_t>(classes);
  std::vector<double> right(count, 0), seen(count, 0);
  double all_right = 0;
  for (int64_t first = 0; first < x.size(0); first += batch) {
    Tensor part = x.slice(0, first, std::min(x.size(0), first + batch));
    auto answers = argmax(model(part), 1).to_vector<int64_t>();
    for (size_t i = 0; i < answers.size(); ++i) {
      auto truth = labels[static_cast<size_t>(first) + i];
      bool correct = answers[i] == truth;
      all_right += correct;
      right[static_cast<size_t>(truth)] += correct;
      ++seen[static_cast<size_t>(truth)];
    }
  }
  Answers result{all_right / static_cast<double>(labels.size()), {}};
  for (size_t c = 0; c < count; ++c) {
    result.classes.push_back(seen[c] > 0 ? right[c] / seen[c]
                                         : std::numeric_limits<double>::quiet_NaN());
  }
  return result;
}

}  // namespace

LayerAblation ablate_each(const introspect::Scores& model, const std::string& layer,
                          const std::vector<int64_t>& units, int64_t width, int64_t drawn,
                          const Tensor& x, const std::vector<int64_t>& labels, int64_t classes,
                          uint64_t seed) {
  NoGrad off;
  if (labels.empty() || static_cast<int64_t>(labels.size()) != x.size(0)) {
    fail("ablate_each", Caller{}, "{} labels for {}", labels.size(), describe(x));
  }
  LayerAblation result;
  result.random = introspect::shuffled_units(width, seed);
  result.random.resize(static_cast<size_t>(std::min(drawn, width)));
  std::sort(result.random.begin(), result.random.end());
  result.intact = answers_of(model, x, labels, classes);
  auto ablate = [&](int64_t unit) {
    if (result.without.count(unit)) return;
    introspect::Edit edit(layer, introspect::ablate_units({unit}));
    result.without[unit] = answers_of(model, x, labels, classes);
    if (edit.seen() == 0) {
      fail("ablate_each", Caller{}, "the model shows no activation '{}'", layer);
    }
  };
  for (int64_t unit : units) ablate(unit);
  for (int64_t unit : result.random) ablate(unit);
  return result;
}

}  // namespace strata::study
