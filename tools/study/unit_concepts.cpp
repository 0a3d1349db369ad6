#include "tools/study/unit_concepts.h"

#include <algorithm>
#include <map>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "kernels/common/parallel.h"

namespace strata::study {
namespace {

constexpr int64_t batch = 50;

// Indices of the concepts of each factor.
std::vector<std::vector<size_t>> factors_of(const std::vector<introspect::Concept>& concepts) {
  std::map<std::string, std::vector<size_t>> by_word;
  for (size_t k = 0; k < concepts.size(); ++k) {
    by_word[concepts[k].name.substr(0, concepts[k].name.find(' '))].push_back(k);
  }
  std::vector<std::vector<size_t>> factors;
  for (auto& [word, values] : by_word) factors.push_back(values);
  return factors;
}

// Images `shift` after each, the first ones after the last.
Tensor rolled(const Tensor& masks, int64_t shift) {
  int64_t count = masks.size(0);
  return concatenate({masks.slice(0, shift, count), masks.slice(0, 0, shift)}, 0);
}

// IoU [units x 5 K]: with the true masks, then with those of each control.
std::vector<double> all_iou(const Tensor& activation, const Tensor& masks,
                            const std::vector<introspect::Concept>& concepts) {
  int64_t images = activation.size(0);
  introspect::TopQuantiles quantiles(on_share, images * activation.size(1) * activation.size(2));
  quantiles.add(activation);
  std::vector<Tensor> sets{masks};
  for (int64_t shift : {images / 3, 2 * images / 3}) {
    sets.push_back(rolled(masks, shift));
    sets.push_back(exchanged_values(masks, concepts, shift));
  }
  std::vector<introspect::Concept> all;
  for (size_t s = 0; s < sets.size(); ++s) all.insert(all.end(), concepts.begin(), concepts.end());
  introspect::Dissection dissection(quantiles.thresholds(), all);
  for (int64_t first = 0; first < images; first += batch) {
    int64_t end = std::min(images, first + batch);
    std::vector<Tensor> parts;
    for (const Tensor& set : sets) parts.push_back(set.slice(0, first, end));
    dissection.add(activation.slice(0, first, end), concatenate(parts, 3));
  }
  return dissection.result().iou;
}

// From one unit's row of all_iou.
UnitConcepts unit_of(const double* iou, size_t controls,
                     const std::vector<introspect::Concept>& concepts, size_t kept) {
  UnitConcepts unit;
  size_t count = concepts.size();
  for (size_t k = 0; k < count; ++k) {
    ConceptScore score{concepts[k].name, iou[k], 0};
    for (size_t s = 1; s <= controls; ++s)
      score.control = std::max(score.control, iou[s * count + k]);
    unit.chance = std::max(unit.chance, score.control);
    unit.best.push_back(std::move(score));
  }
  std::stable_sort(unit.best.begin(), unit.best.end(),
                   [](auto& a, auto& b) { return a.iou > b.iou; });
  unit.best.resize(std::min(kept, count));
  unit.detects = unit.best[0].iou > std::max(least_iou, least_gain * unit.chance);
  return unit;
}

}  // namespace

Tensor exchanged_values(const Tensor& masks, const std::vector<introspect::Concept>& concepts,
                        int64_t shift) {
  Tensor given = masks.to(DType::u8).contiguous(), exchanged = zeros_like(given);
  int64_t images = given.size(0), pixels = given.size(1) * given.size(2);
  size_t count = concepts.size();
  auto factors = factors_of(concepts);
  const uint8_t* from = given.data<uint8_t>();
  uint8_t* to = exchanged.data<uint8_t>();
  auto image = [&](int64_t i) { return static_cast<size_t>(i * pixels) * count; };
  // The values of a factor that an image shows, in order.
  auto present = [&](int64_t i, const std::vector<size_t>& values) {
    std::vector<size_t> found;
    for (size_t k : values) {
      const uint8_t* mask = from + image(i) + k;
      for (int64_t p = 0; p < pixels; ++p) {
        if (mask[static_cast<size_t>(p) * count] == 0) continue;
        found.push_back(k);
        break;
      }
    }
    return found;
  };
  parallel_for(images, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      for (auto& values : factors) {
        auto own = present(i, values), other = present((i + shift) % images, values);
        if (values.size() < 2 || other.empty()) continue;
        for (size_t v = 0; v < own.size(); ++v) {
          size_t source = image(i) + own[v], target = image(i) + other[v % other.size()];
          for (size_t p = 0; p < static_cast<size_t>(pixels); ++p) {
            to[target + p * count] |= from[source + p * count] != 0;
          }
        }
      }
    }
  });
  return exchanged;
}

std::vector<UnitConcepts> concepts_of_units(const Tensor& activation, const Tensor& masks,
                                            const std::vector<introspect::Concept>& concepts,
                                            size_t kept) {
  NoGrad off;
  if (activation.rank() != 4 || activation.size(0) < 3) {
    fail("concepts_of_units", Caller{},
         "activation {}: expected [N, h, w, C] of at least 3 images, as masks of other images are "
         "the control",
         describe(activation));
  }
  auto iou = all_iou(activation, masks, concepts);
  size_t row = iou.size() / static_cast<size_t>(activation.size(3));
  std::vector<UnitConcepts> units;
  for (size_t at = 0; at < iou.size(); at += row) {
    units.push_back(unit_of(iou.data() + at, row / concepts.size() - 1, concepts, kept));
  }
  return units;
}

double share_of_detectors(const std::vector<UnitConcepts>& units) {
  auto found = std::count_if(units.begin(), units.end(), [](auto& u) { return u.detects; });
  return units.empty() ? 0 : static_cast<double>(found) / static_cast<double>(units.size());
}

}  // namespace strata::study
