#include "tools/introspect/units/dissection.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "kernels/common/parallel.h"

namespace strata::introspect {
namespace {

void add_to(std::vector<double>& total, const Tensor& part) {
  auto values = part.to_vector<double>();
  for (size_t i = 0; i < values.size(); ++i) total[i] += values[i];
}

}  // namespace

TopQuantiles::TopQuantiles(double share, int64_t responses)
    : responses_(responses),
      kept_(static_cast<int64_t>(std::floor(share * static_cast<double>(responses)))) {
  if (!(share > 0 && share < 1) || responses < 1) {
    fail("top_quantiles", Caller{},
         "a share of {} of {} responses: expected a share between 0 and "
         "1 of at least 1",
         share, responses);
  }
}

void TopQuantiles::shorten(std::vector<float>& largest) const {
  auto end = largest.begin() + kept_ + 1;
  if (end >= largest.end()) return;
  std::nth_element(largest.begin(), end - 1, largest.end(), std::greater<>());
  largest.erase(end, largest.end());
}

void TopQuantiles::add(const Tensor& activation) {
  if (activation.rank() != 4 && activation.rank() != 2) {
    fail("top_quantiles", Caller{}, "{} is not [N, H, W, C] or [N, C]", describe(activation));
  }
  int64_t units = activation.size(-1);
  if (seen_ > 0 && units != static_cast<int64_t>(largest_.size())) {
    fail("top_quantiles", Caller{}, "{} has {} units where the batches before had {}",
         describe(activation), units, largest_.size());
  }
  Tensor rows = activation.detach().to(DType::f32).reshape({-1, units}).contiguous();
  largest_.resize(static_cast<size_t>(units));
  seen_ += rows.size(0);
  const float* values = rows.data<float>();
  parallel_for(units, 1, [&](int64_t begin, int64_t end) {
    for (int64_t u = begin; u < end; ++u) {
      auto& largest = largest_[static_cast<size_t>(u)];
      for (int64_t i = 0; i < rows.size(0); ++i) {
        largest.push_back(values[i * units + u]);
        if (static_cast<int64_t>(largest.size()) > 2 * kept_ + 1024) shorten(largest);
      }
    }
  });
}

std::vector<double> TopQuantiles::thresholds() const {
  if (seen_ != responses_) {
    fail("top_quantiles", Caller{}, "{} responses a unit were announced and {} seen", responses_,
         seen_);
  }
  std::vector<double> result;
  for (std::vector<float> largest : largest_) {
    shorten(largest);
    result.push_back(*std::min_element(largest.begin(), largest.end()));
  }
  return result;
}

Dissection::Dissection(std::vector<double> thresholds, std::vector<Concept> concepts)
    : thresholds_(std::move(thresholds)),
      concepts_(std::move(concepts)),
      on_(thresholds_.size(), 0),
      area_(concepts_.size(), 0),
      both_(thresholds_.size() * concepts_.size(), 0) {
  if (thresholds_.empty() || concepts_.empty()) {
    fail("dissection", Caller{}, "{} units and {} concepts: expected at least 1 of each",
         thresholds_.size(), concepts_.size());
  }
}

void Dissection::add(const Tensor& activation, const Tensor& masks) {
  NoGrad off;
  auto units = static_cast<int64_t>(thresholds_.size());
  auto concepts = static_cast<int64_t>(concepts_.size());
  if (activation.rank() != 4 || masks.rank() != 4 || activation.size(0) != masks.size(0) ||
      activation.size(3) != units || masks.size(3) != concepts) {
    fail("dissection", Caller{},
         "activation {} and masks {}: expected [N, h, w, {}] and [N, H, W, {}]",
         describe(activation), describe(masks), units, concepts);
  }
  int64_t height = masks.size(1), width = masks.size(2);
  Tensor threshold = from_vector(thresholds_, {units}).to(DType::f32);
  // An image at a time: counts stay exact in f32, and memory small.
  for (int64_t n = 0; n < masks.size(0); ++n) {
    Tensor map = activation.slice(0, n, n + 1).detach().to(DType::f32);
    if (map.size(1) != height || map.size(2) != width) {
      map = upsample_bilinear2d(map, height, width);
    }
    Tensor on = greater(map, threshold).to(DType::f32).reshape({-1, units});
    Tensor inside = masks.select(0, n).reshape({-1, concepts});
    inside = not_equal(inside, zeros_like(inside)).to(DType::f32);
    add_to(on_, sum(on, {0}));
    add_to(area_, sum(inside, {0}));
    add_to(both_, matmul(on.transpose(0, 1), inside));
    pixels_ += static_cast<double>(height * width);
  }
}

LayerDissection Dissection::result(double least_iou) const {
  LayerDissection result;
  size_t concepts = concepts_.size();
  std::vector<bool> found(concepts, false);
  double detectors = 0, levels = 0;
  for (double area : area_) result.area.push_back(pixels_ > 0 ? area / pixels_ : 0);
  for (size_t u = 0; u < thresholds_.size(); ++u) {
    UnitConcept best;
    for (size_t k = 0; k < concepts; ++k) {
      double both = both_[u * concepts + k], either = on_[u] + area_[k] - both;
      double iou = either > 0 ? both / either : 0;
      result.iou.push_back(iou);
      if (best.concept_index < 0 || iou > best.iou) {
        best.concept_index = static_cast<int64_t>(k);
        best.iou = iou;
      }
    }
    auto k = static_cast<size_t>(best.concept_index);
    double larger = std::max(on_[u], area_[k]);
    best.share = pixels_ > 0 ? on_[u] / pixels_ : 0;
    best.ceiling = larger > 0 ? std::min(on_[u], area_[k]) / larger : 0;
    if (best.iou > least_iou) {
      ++detectors;
      levels += concepts_[k].level;
      found[k] = true;
    }
    result.units.push_back(best);
  }
  result.detectors = detectors / static_cast<double>(thresholds_.size());
  result.mean_level = detectors > 0 ? levels / detectors : 0;
  for (size_t k = 0; k < concepts; ++k) {
    if (found[k]) result.unique.push_back(static_cast<int64_t>(k));
  }
  return result;
}

}  // namespace strata::introspect
