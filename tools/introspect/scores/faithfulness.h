// Faithfulness: what the score does when the places that a map calls relevant are taken away.
//
//   deletion    score along x with the most relevant places replaced by a baseline, first few, then
//               all; a good map gives a small area under the curve        Petsiuk et al. 2018
//   insertion   score along the baseline with the most relevant places put back; a large area
//   comprehensiveness  score(x) - score(x without its top share)          DeYoung et al. 2020
//   sufficiency        score(x) - score(the top share alone)
//
// A place is an index of all axes of x [N, ..., C] but the last: a pixel, a token, a node. The
// attribution has x's shape (channels are added up), x's shape without channels, or is a map
// [N, h, w] of another size. The order is by signed value, ties in order of index. Petsiuk's curves
// are of probabilities: give probabilities_of(model). Replaced places are unlike the data, which
// may be what the score reacts to: road.h replaces them by what their neighbours suggest.
//
// Cost: steps + 1 forward passes of each example; each example is scored as if alone.
#pragma once

#include "tools/introspect/scores/explanation.h"

namespace strata::introspect {

struct RemovalOptions {
  int steps = 20;
  Tensor baseline = {};  // broadcasts to x; undefined: 0
};
struct RemovalCurve {
  std::vector<double> shares;  // of the places replaced or put back, from 0 to 1
  Tensor scores;               // [N, steps + 1], f64
  Tensor area;                 // [N], f64, by trapezoids over the shares
  // Over the examples, for a chart.
  std::vector<double> mean_scores() const;
};
RemovalCurve deletion_curve(const Scores& model, const Tensor& x,
                            const std::vector<int64_t>& target, const Tensor& attribution,
                            const RemovalOptions& options = {});
RemovalCurve insertion_curve(const Scores& model, const Tensor& x,
                             const std::vector<int64_t>& target, const Tensor& attribution,
                             const RemovalOptions& options = {});

// [N] in f64; `share` in [0, 1].
Tensor comprehensiveness(const Scores& model, const Tensor& x, const std::vector<int64_t>& target,
                         const Tensor& attribution, double share = 0.2,
                         const Tensor& baseline = {});
Tensor sufficiency(const Scores& model, const Tensor& x, const std::vector<int64_t>& target,
                   const Tensor& attribution, double share = 0.2, const Tensor& baseline = {});

// The `count` places of each example that come first, bool [N, places]: those with the largest
// relevance [N, places], or with the smallest.
Tensor first_places(const Tensor& relevance, int64_t count, bool largest = true);
// x with the places [N, places] replaced by the baseline.
Tensor replaced(const Tensor& x, const Tensor& places, const Tensor& baseline);

}  // namespace strata::introspect
