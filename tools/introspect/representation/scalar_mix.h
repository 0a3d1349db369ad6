// Scalar mix (Peters et al. 2018; Tenney, Das and Pavlick 2019, "BERT rediscovers the classical NLP
// pipeline"): one probe over all layers, which says by its weights where in the network a factor
// is.
//
//   z = gamma sum_l s_l h_l,  s = softmax(a),  then multinomial logistic regression on z,
// over a, gamma, W and b together, with the penalty l2/2 (|W|^2 + (gamma - 1)^2). Each layer is
// centred and scaled to mean square 1 first, so that weights compare. Not convex in all of them
// together: the start is fixed (equal weights, gamma 1, W 0), so the answer is reproducible.
//
// The weights tell what a mix uses; the gain of scores as layers are added tells what each layer
// brings. Tenney et al. found the second far sharper. Cost an evaluation: 6 L n D FLOPs and 4 n D
// C; memory is one scaled copy of the layers.
#pragma once

#include <vector>

#include "tools/introspect/representation/probe.h"

namespace strata::introspect {

struct ScalarMix {
  std::vector<double> weights;  // s, a layer, sum 1
  double gamma = 1;
  double centre_of_gravity = 0;  // sum_l l s_l, the first layer being 0
  double train_loss = 0, train_accuracy = 0, validation_accuracy = 0;
  double gradient = 0;  // Euclidean norm at the end
};
// train and validation: the layers' features, [n, D] and [m, D] each, of one width and type.
ScalarMix fit_scalar_mix(const std::vector<Tensor>& train, const std::vector<Tensor>& validation,
                         const ProbeTask& task, const ProbeOptions& options = {});

// Validation accuracies of mixes of layers 0..l, for each l.
std::vector<double> cumulative_scores(const std::vector<Tensor>& train,
                                      const std::vector<Tensor>& validation, const ProbeTask& task,
                                      const ProbeOptions& options = {});
// sum_l l gain_l / sum_l gain_l, gain_l = scores[l] - scores[l - 1], l at least 1: the layer at
// which the factor is expected to be resolved. 0 if the last score is not above the first.
double expected_layer(const std::vector<double>& scores);
// The same centre of gravity of any weights that are at least 0, such as normalised accuracies by
// layer; 0 if they are all 0.
double centre_of_gravity(const std::vector<double>& weights);

}  // namespace strata::introspect
