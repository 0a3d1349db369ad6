// The concept that each unit of a layer detects, beside what the same rule finds where there is
// nothing to find: network dissection (tools/introspect/units/dissection.h) against the masks of
// the images, and against masks from which the concept is gone. There are two kinds of these, each
// drawn twice, with image j = i + N/3 and i + 2N/3 in the place of image i:
//
//   place  the masks of image j: each concept keeps its shape, its size and its usual place;
//   value  the masks of image i under the values of image j ("hue green" where hue is red in i and
//          green in j): what a unit gets that is on in every such place, whatever the value. Left
//          out for a concept that is the only one of its factor.
//
// A unit detects its concept when its IoU is above .04 and above one and a half times the largest
// that any concept reaches in any of the four: were it only above that largest, one unit in five
// that knows nothing would pass, as the true masks are one draw of five.
#pragma once

#include <string>
#include <vector>

#include "tools/introspect/units/dissection.h"

namespace strata::study {

inline constexpr double on_share = 0.02;   // of its places in which a unit counts as on
inline constexpr double least_iou = 0.04;  // of a detector, whatever chance gives
inline constexpr double least_gain = 1.5;  // of a detector, times chance

struct ConceptScore {
  std::string name;
  double iou = 0;
  double control = 0;  // the largest of the same concept in the four
};
struct UnitConcepts {
  std::vector<ConceptScore> best;  // largest IoU first
  double chance = 0;               // the largest IoU with any concept in the four
  bool detects = false;
};
// activation [N, h, w, C], masks [N, H, W, K] (nonzero is inside), K concepts; N at least 3.
// Concepts whose names begin with the same word are the values of one factor. One entry a unit,
// with its `kept` best concepts.
std::vector<UnitConcepts> concepts_of_units(const Tensor& activation, const Tensor& masks,
                                            const std::vector<introspect::Concept>& concepts,
                                            size_t kept = 5);
double share_of_detectors(const std::vector<UnitConcepts>& units);

// masks [N, H, W, K] of the places of each image under the values of the image `shift` after it; a
// concept that is the only one of its factor is nowhere. u8.
Tensor exchanged_values(const Tensor& masks, const std::vector<introspect::Concept>& concepts,
                        int64_t shift);

}  // namespace strata::study
