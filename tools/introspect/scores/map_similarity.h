// How alike two attributions of the same examples are. a, b [N, ...] of one shape; results [N] f64.
//
//   spearman   Pearson's correlation of ranks, equal values having their mean rank: the order of
//              places, whatever the scale                                  Spearman 1904
//   ssim       mean over windows of
//              (2 ma mb + c1) (2 sab + c2) / ((ma^2 + mb^2 + c1) (sa^2 + sb^2 + c2)),
//              m and s Gaussian means and (co)variances (11 x 11, deviation 1.5, smaller for
//              smaller maps), c1 = (.01 L)^2, c2 = (.03 L)^2, L the range of both maps together:
//              local structure                                             Wang et al. 2004
#pragma once

#include "engine/tensor/tensor.h"

namespace strata::introspect {

// 0 where one of them is the same everywhere: it has no order.
Tensor spearman(const Tensor& a, const Tensor& b);
// Maps [N, H, W]; windows inside the map only. 1 for equal maps.
Tensor ssim(const Tensor& a, const Tensor& b);

// Means over the examples. `structure` is the ssim of maps [N, H, W] (attributions [N, H, W, C] are
// added up over channels), each divided by its largest magnitude, since another network has scores
// of another size; NaN for what is neither.
struct Similarity {
  double rank = 0;            // of signed values
  double magnitude_rank = 0;  // of absolute values
  double structure = 0;
};
Similarity similarity(const Tensor& a, const Tensor& b);

}  // namespace strata::introspect
