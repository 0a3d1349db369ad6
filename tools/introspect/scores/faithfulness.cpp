#include "tools/introspect/scores/faithfulness.h"

#include <cmath>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "tools/introspect/attribution/target.h"

namespace strata::introspect {
namespace {

Tensor scored(const Scores& model, const Tensor& x, const std::vector<int64_t>& target) {
  return from_vector(scores_of(model, x, target), {x.size(0)});
}

int64_t places_of(double share, int64_t places, const char* name) {
  if (!(share >= 0 && share <= 1)) fail(name, Caller{}, "a share of {} is not in [0, 1]", share);
  return std::lround(share * static_cast<double>(places));
}

Tensor area_under(const std::vector<double>& shares, const Tensor& scores) {
  Tensor area = zeros({scores.size(0)}, DType::f64);
  for (size_t k = 1; k < shares.size(); ++k) {
    auto at = static_cast<int64_t>(k);
    Tensor height = (scores.select(1, at - 1) + scores.select(1, at)) / 2.0;
    area = area + height * (shares[k] - shares[k - 1]);
  }
  return area;
}

RemovalCurve curve(const Scores& model, const Tensor& x, const std::vector<int64_t>& target,
                   const Tensor& attribution, const RemovalOptions& options, bool deletes) {
  NoGrad off;
  Tensor relevance = relevance_of_places(attribution, x);
  int64_t places = relevance.size(1);
  if (options.steps < 1 || options.steps > places) {
    fail("removal_curve", Caller{}, "{} steps for {} places: expected from 1 to one a place",
         options.steps, places);
  }
  RemovalCurve out;
  std::vector<Tensor> scores;
  for (int k = 0; k <= options.steps; ++k) {
    int64_t count = places_of(double(k) / options.steps, places, "removal_curve");
    out.shares.push_back(static_cast<double>(count) / static_cast<double>(places));
    Tensor first = first_places(relevance, count);
    Tensor gone = deletes ? first : logical_not(first);
    scores.push_back(scored(model, replaced(x, gone, options.baseline), target));
  }
  out.scores = stack(scores, 1);
  out.area = area_under(out.shares, out.scores);
  return out;
}

Tensor drop(const Scores& model, const Tensor& x, const std::vector<int64_t>& target,
            const Tensor& attribution, double share, const Tensor& baseline, bool keeps) {
  NoGrad off;
  Tensor relevance = relevance_of_places(attribution, x);
  Tensor first = first_places(relevance, places_of(share, relevance.size(1), "sufficiency"));
  Tensor left = replaced(x, keeps ? logical_not(first) : first, baseline);
  return scored(model, x, target) - scored(model, left, target);
}

}  // namespace

std::vector<double> RemovalCurve::mean_scores() const {
  return mean(scores, {0}).to_vector<double>();
}

Tensor first_places(const Tensor& relevance, int64_t count, bool largest) {
  Tensor order = argsort(relevance, 1, largest);
  Tensor rank = argsort(order, 1);  // the inverse permutation
  return less(rank, full(rank.shape(), static_cast<double>(count), DType::i64));
}

Tensor replaced(const Tensor& x, const Tensor& places, const Tensor& baseline) {
  Dims shape = x.shape();
  shape[-1] = 1;
  Tensor value = baseline.defined() ? baseline.to(x.dtype()).to(x.device())
                                    : zeros({1}, x.dtype(), x.device());
  Dims joint;
  if (!broadcast(value.shape(), x.shape(), &joint) || joint != x.shape()) {
    fail("replaced", Caller{}, "the baseline {} does not broadcast to the input {}",
         describe(value), describe(x));
  }
  return where(places.reshape(shape).to(x.device()), value, x.detach());
}

RemovalCurve deletion_curve(const Scores& model, const Tensor& x,
                            const std::vector<int64_t>& target, const Tensor& attribution,
                            const RemovalOptions& options) {
  return curve(model, x, target, attribution, options, true);
}
RemovalCurve insertion_curve(const Scores& model, const Tensor& x,
                             const std::vector<int64_t>& target, const Tensor& attribution,
                             const RemovalOptions& options) {
  return curve(model, x, target, attribution, options, false);
}

Tensor comprehensiveness(const Scores& model, const Tensor& x, const std::vector<int64_t>& target,
                         const Tensor& attribution, double share, const Tensor& baseline) {
  return drop(model, x, target, attribution, share, baseline, false);
}
Tensor sufficiency(const Scores& model, const Tensor& x, const std::vector<int64_t>& target,
                   const Tensor& attribution, double share, const Tensor& baseline) {
  return drop(model, x, target, attribution, share, baseline, true);
}

}  // namespace strata::introspect
