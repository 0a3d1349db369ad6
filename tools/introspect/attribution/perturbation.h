// Attribution by taking parts of the input away, that is, putting a baseline in their place, and
// looking at the score: forward passes only, so the model need not be differentiable.
//
//   occlusion         f(x) - f(x with a window hidden)       Zeiler and Fergus 2013, arXiv
//   1311.2901 feature ablation  f(x) - f(x with a group hidden) Shapley values    sum over S of
//   |S|! (d - |S| - 1)! / d! (v(S + i) - v(S)), v(S) the score with
//                     only the groups of S shown               Shapley 1953; Castro et al. 2009
//
// A group is the set of elements that carry its number in `groups`, an integer tensor that
// broadcasts to one example of x, with numbers 0 ... d - 1: [H, W, 1] for segments of an image,
// [T, 1] for tokens, [C] for channels. Undefined: every element is its own group.
//
// Occlusion costs a forward pass for each window, ablation for each group, exact Shapley values
// 2^d, sampled ones d - 1 for each permutation. Passes are shared by windows and examples up to
// `limit`.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/tensor/tensor.h"
#include "tools/introspect/attribution/target.h"

namespace strata::introspect {

struct OcclusionOptions {
  int64_t window = 4;    // side in pixels, or steps of a sequence
  int64_t stride = 0;    // 0: the window, so that windows do not overlap
  Tensor baseline = {};  // broadcasts to x; undefined: 0
  PassLimit limit = {};
};
// x [N, H, W, C] or [N, T, C] -> [N, H, W] or [N, T]: at each place the mean drop of the windows
// that cover it. Windows stand at multiples of the stride and are cut at the far edges.
Tensor occlusion(const Scores& model, const Tensor& x, const std::vector<int64_t>& target,
                 const OcclusionOptions& options = {});

// Values of the groups of each example.
struct GroupValues {
  Tensor values;           // f64 [N, d]
  Tensor standard_errors;  // sampled Shapley values: f64 [N, d]; otherwise undefined
  std::vector<double> scores, baseline_scores;  // with every group, and with none
};
struct GroupOptions {
  Tensor groups = {};
  Tensor baseline = {};  // broadcasts to x; undefined: 0
  PassLimit limit = {};
};
GroupValues feature_ablation(const Scores& model, const Tensor& x,
                             const std::vector<int64_t>& target, const GroupOptions& options = {});
// All coalitions; at most 16 groups. The values add up to scores - baseline_scores.
GroupValues shapley_values(const Scores& model, const Tensor& x, const std::vector<int64_t>& target,
                           const GroupOptions& options = {});

struct ShapleySampling {
  int permutations = 100;
  // Every permutation is followed by its reverse (Mitchell et al. 2022, arXiv 2104.12199), and the
  // mean of the two is one sample; for functions of pairs the error is then 0.
  bool antithetic = true;
  uint64_t seed = 1;
};
// Mean over permutations of what each group adds to those before it: unbiased, and for every number
// of permutations the values add up to scores - baseline_scores. All examples see the same ones.
GroupValues sampled_shapley_values(const Scores& model, const Tensor& x,
                                   const std::vector<int64_t>& target,
                                   const GroupOptions& options = {},
                                   const ShapleySampling& sampling = {});

// The values [N, d] in x's shape: every element shows its group's.
Tensor spread_to_elements(const Tensor& values, const Tensor& groups, const Tensor& x);

}  // namespace strata::introspect
