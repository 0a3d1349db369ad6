// Robustness: how much an explanation changes when the input changes by nothing one would see.
// With d uniform in the cube |d_i| <= radius,
//
//   max sensitivity      max_d  |phi(x + d) - phi(x)| / |phi(x)|     Yeh et al. 2019
//   average sensitivity  mean_d of the same                          Bhatt et al. 2020
//
// in Euclidean norms over each example's attribution. An explanation that ignores its input gets 0:
// robustness alone is no merit. A maximum over samples is a lower bound of the true one. Sample k
// moves every example alike. Cost: one run of the method for each sample.
#pragma once

#include "tools/introspect/scores/explanation.h"

namespace strata::introspect {

struct SensitivityOptions {
  double radius = 0.02;  // in x's units
  int samples = 10;
  uint64_t seed = 1;
};
struct Sensitivity {
  Tensor largest, average;  // [N], f64; infinite where phi(x) is zero and phi(x + d) is not
};
Sensitivity sensitivity(const Method& method, const Scores& model, const Tensor& x,
                        const std::vector<int64_t>& target, const SensitivityOptions& options = {});

}  // namespace strata::introspect
