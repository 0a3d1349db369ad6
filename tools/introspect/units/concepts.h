// Testing with concept activation vectors, TCAV (Kim et al. 2018, "Interpretability beyond feature
// attribution"): does a class depend on a concept that examples define, at a layer?
//
// A concept's vector v is the normal of a linear probe that tells its examples from random ones, in
// the layer's flattened activation. The score of class k is the share of its examples whose logit
// rises in the direction v,
//
//   TCAV = |{x : d score_k(x) / d activation . v > 0}| / |{x}|.
//
// Any direction has a score, so it is taken for each of several random sets, and beside it for
// random sets in the place of the concept. A two-sided Welch t-test between the two is the paper's;
// as the concept's examples are the same in every one of its scores, their own sampling noise is
// not in it, and a concept that the layer does not show (accuracy .5) can pass. example_p_value has
// it: each random set takes the concept's place against all the others, and the concept's mean is
// held against these means. Where several concepts or layers are asked about, divide the level by
// their number (Bonferroni), as the paper does.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tools/introspect/edit.h"

namespace strata::introspect {

struct ConceptVector {
  Tensor direction;     // [D], length 1, towards the concept
  double accuracy = 0;  // of the probe on the held-out quarter: .5 is a concept the layer lacks
};
// `with`, `without`: activations of examples [n, ...] and [m, ...], flattened. `l2`: of the probe.
ConceptVector concept_vector(const Tensor& with, const Tensor& without, double l2 = 1e-2);

// d score[n, target] / d activation of `layer` (its latest use), flattened: [N, D]. 0 where the
// score does not depend on it.
Tensor layer_gradients(const Scores& model, const Tensor& x, const std::string& layer,
                       int64_t target);
// Share of the rows of gradients [N, D] with a positive product with the direction [D].
double tcav_score(const Tensor& gradients, const Tensor& direction);

// Two-sided Welch t-test: the probability of means at least this far apart were there no difference
// (Welch 1947). Two constant samples give 1 when equal and 0 when not. At least 2 values each.
double welch_p_value(const std::vector<double>& a, const std::vector<double>& b);

struct TcavResult {
  std::vector<double> scores;   // with each random set
  std::vector<double> control;  // of each random set against the next one
  double mean = 0, control_mean = 0;
  double p_value = 1;          // scores against control, Welch
  double example_p_value = 1;  // the concept among random concepts, Student
  double accuracy = 0;         // mean held-out accuracy of the concept's probes
};
// `examples`: inputs of the class; `concept_inputs`: of the concept; `random`: at least 3 sets of
// other inputs (10 and more give the tests some power). Cost: R (R + 1) / 2 probes for R sets.
TcavResult tcav(const Scores& model, const std::string& layer, const Tensor& examples,
                int64_t target, const Tensor& concept_inputs, const std::vector<Tensor>& random,
                double l2 = 1e-2);

}  // namespace strata::introspect
