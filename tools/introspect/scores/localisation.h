// Localisation: whether a map points at what is known to decide. map: an attribution [N, H, W, C]
// (channels are added up), a map [N, H, W], or a coarser map, which is interpolated to the mask;
// mask [N, H, W] bool, true on the object. Results are [N] in f64.
//
//   pointing   the place of the largest value lies in the mask           Zhang et al. 2018
//   mass       sum in the mask / sum                                     Arras et al. 2022
//   rank       share of the K largest values that lie in the mask,
//              K the size of the mask                                    Arras et al. 2022
//   auc        P(a value in the mask > one outside), ties counting half  (ROC, Mann-Whitney)
//   area       share of the image that the mask covers: mass and rank of a map that knows nothing
//
// What is scored is the positive part: evidence against the target points at nothing, and all of it
// counts as zero. No map is scaled, and every score but mass reads the order of values alone. Equal
// values share what their places would get, so a uniform map (or one without a positive value) gets
// pointing, mass and rank equal to area, and auc 1/2.
//
// Cost O(H W log(H W)) an image.
#pragma once

#include "tools/introspect/scores/explanation.h"

namespace strata::introspect {

// `tolerance`: a maximum this many pixels (Euclidean) from the mask still counts.
Tensor pointing_game(const Tensor& map, const Tensor& mask, double tolerance = 0);
Tensor relevance_mass(const Tensor& map, const Tensor& mask);
Tensor relevance_rank(const Tensor& map, const Tensor& mask);
// NaN where the mask covers the whole image.
Tensor mask_auc(const Tensor& map, const Tensor& mask);
Tensor area_share(const Tensor& mask);

// Means over the images. A mask that is empty is an error that names the image, here and above.
struct Localisation {
  double pointing = 0, mass = 0, rank = 0, auc = 0, area = 0;
  // Against chance: passes from mass >= 2 area on, fails below 1.25 area. Meant for objects that
  // cover less than half of the image.
  Verdict verdict() const;
};
Localisation localisation(const Tensor& map, const Tensor& mask, double tolerance = 0);

}  // namespace strata::introspect
