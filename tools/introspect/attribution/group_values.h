// What groups of inputs are worth to a score, by hiding groups behind a baseline. Forward passes
// only, so the model need not be differentiable.
//
//   feature ablation  f(x) - f(x with the group hidden)
//   Shapley values    sum over sets S of other groups of
//                     |S|! (d - |S| - 1)! / d! (v(S and the group) - v(S)),
//                     v(S) the score with only the groups of S shown (Shapley 1953); by all sets,
//                     or sampled by permutations (Castro, Gomez and Tejada 2009)
//
// A group is the set of elements that carry its number in `groups`, an integer tensor that
// broadcasts to one example of x, with numbers 0 ... d - 1: [H, W, 1] for segments of an image,
// [T, 1] for tokens, [C] for channels. Undefined: every element is its own group.
//
// Cost in forward passes of each example: d, 2^d, and d - 1 for each permutation. Examples and
// masks share passes up to `limit`.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/tensor/tensor.h"
#include "tools/introspect/attribution/target.h"

namespace strata::introspect {

// Values of the groups of each example.
struct GroupValues {
  Tensor values;           // f64 [N, d]
  Tensor standard_errors;  // sampled Shapley values: f64 [N, d]; otherwise undefined
  std::vector<double> scores, baseline_scores;  // with every group shown, and with none
};
struct GroupOptions {
  Tensor groups = {};
  Tensor baseline = {};  // broadcasts to x; undefined: 0
  PassLimit limit = {};
};
GroupValues feature_ablation(const Scores& model, const Tensor& x,
                             const std::vector<int64_t>& target, const GroupOptions& options = {});
// At most 16 groups. The values add up to scores - baseline_scores.
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
