// Infidelity (Yeh et al. 2019, "On the (in)fidelity and sensitivity of explanations"): how far an
// attribution is from predicting what a perturbation does to the score. For a perturbation I,
//
//   infidelity = E_I [ (sum_i I_i a_i - (f(x) - f(x - I)))^2 ],
//
// for attributions a that count per unit of input, as gradients do. Those that count the whole
// share of an input against a baseline (integrated gradients, DeepLift, Shapley values) are
// measured by removing random places S:
//
//   removal infidelity = E_S [ (sum_{i in S} a_i - (f(x) - f(x with S at the baseline)))^2 ],
//
// which for S = everything is the square of what completeness is missed by. Attributions are in x's
// shape; results [N] in f64. Sample k perturbs every example alike, so a batch gives what its
// examples would give alone. Cost: a forward pass of each example for each sample.
#pragma once

#include "engine/ops/random.h"
#include "tools/introspect/scores/explanation.h"

namespace strata::introspect {

// x -> I, which broadcasts to x.
using Perturbation = std::function<Tensor(const Tensor& x, Generator& generator)>;
Perturbation gaussian_perturbation(double deviation);
// I = x - baseline: the same each time. Undefined: a baseline of 0.
Perturbation to_baseline(Tensor baseline = {});
// The same inside a square of `size` pixels at a random place of images [N, H, W, C] (the paper's).
Perturbation square_to_baseline(int64_t size, Tensor baseline = {});

struct InfidelityOptions {
  int samples = 64;
  uint64_t seed = 1;
  // Multiplies the attribution of each example by the factor that fits best, so that methods of
  // different units can be compared.
  bool best_scale = false;
};
Tensor infidelity(const Scores& model, const Tensor& x, const std::vector<int64_t>& target,
                  const Tensor& attribution, const Perturbation& perturbation,
                  const InfidelityOptions& options = {});

struct RemovalInfidelityOptions {
  double share = 0.5;  // of the places, all axes but the last, that are removed at once
  int samples = 64;
  uint64_t seed = 1;
  Tensor baseline = {};  // broadcasts to x; undefined: 0
};
Tensor removal_infidelity(const Scores& model, const Tensor& x, const std::vector<int64_t>& target,
                          const Tensor& attribution, const RemovalInfidelityOptions& options = {});

}  // namespace strata::introspect
