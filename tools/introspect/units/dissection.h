// Network dissection (Bau et al. 2017, "Network dissection: quantifying interpretability of deep
// visual representations"): which concept each unit of a layer detects.
//
// A unit's threshold T is set so that a share of all its responses, over all places of all images,
// lies above it. Its map is interpolated to the size of the image; where it is above T the unit is
// on. For every concept, over all images,
//
//   IoU = |on and concept| / |on or concept|,
//
// a unit's concept is the one with the largest IoU, and it is a detector when that is above .04.
// A unit that is on in a share s cannot exceed min(s, b) / max(s, b) for a concept of area b: with
// s = .005, concepts that cover more than an eighth of all pixels are out of reach.
//
// Two passes over the data: thresholds, then IoU. Both stream; results do not depend on batches.
//
//   TopQuantiles quantiles(0.005, images * places);
//   for (batch) quantiles.add(activation);
//   Dissection dissection(quantiles.thresholds(), concepts);
//   for (batch) dissection.add(activation, masks);
//   LayerDissection result = dissection.result();
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/tensor/tensor.h"

namespace strata::introspect {

// The exact upper quantile of each unit from a stream: for every unit the `share` largest of
// `responses` values are kept, and nothing else.
class TopQuantiles {
 public:
  // `responses`: how many values a unit will give in all (images times places).
  TopQuantiles(double share, int64_t responses);
  // activation [N, H, W, C] or [N, C].
  void add(const Tensor& activation);
  // For each unit the smallest value with at most floor(share responses) values above it. All
  // responses must have been seen.
  std::vector<double> thresholds() const;

 private:
  void shorten(std::vector<float>& largest) const;

  int64_t responses_, kept_, seen_ = 0;
  std::vector<std::vector<float>> largest_;  // a unit: at least the kept_ + 1 largest so far
};

struct Concept {
  std::string name;
  int level = 0;  // in a hierarchy of concepts; 0: unknown
};

struct UnitConcept {
  int64_t concept_index = -1;  // with the largest IoU, ties to the first
  double iou = 0;
  double share = 0;    // of all pixels in which the unit is on
  double ceiling = 0;  // the largest IoU that this share could reach on this concept
};

struct LayerDissection {
  std::vector<UnitConcept> units;
  std::vector<double> iou;      // [units x concepts], row by row
  std::vector<double> area;     // share of all pixels, a concept
  double detectors = 0;         // share of the units that are one
  double mean_level = 0;        // of the detectors' concepts; 0 when there are none
  std::vector<int64_t> unique;  // concepts with at least one detector, in order
};

class Dissection {
 public:
  Dissection(std::vector<double> thresholds, std::vector<Concept> concepts);
  // The next images: activation [N, h, w, C] and masks [N, H, W, K] (bool or u8, nonzero is
  // inside). The map is interpolated bilinearly to H x W.
  void add(const Tensor& activation, const Tensor& masks);
  LayerDissection result(double least_iou = 0.04) const;

 private:
  std::vector<double> thresholds_;
  std::vector<Concept> concepts_;
  double pixels_ = 0;
  std::vector<double> on_, area_, both_;  // pixels: [units], [concepts], [units x concepts]
};

}  // namespace strata::introspect
