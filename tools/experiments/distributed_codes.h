// Codes in which many units share many concepts, and what theory says exactly about them (E10).
//
//   random codes of +-1     a query is a code with some signs flipped; the answer is the code with
//                           the largest inner product. Hinton, McClelland and Rumelhart 1986.
//   two features, one unit  y = relu(x w w' + b), features present with probability p, uniform in
//                           [0, 1) (Elhage et al. 2022). Loss of a unit kept for one feature:
//                           p/3 - p^2/4, the other's variance; of w = (1, -1), b = 0: p^2/3, the
//                           smaller one squared, twice. They cross at p = 4/7.
//   a linear autoencoder    W W' is the projection on the leading principal components, its loss
//                           the sum of the other eigenvalues (Baldi and Hornik 1989).
#pragma once

#include <vector>

#include "engine/ops/random.h"

namespace strata::experiments {

// Share of codes [N, U] of +-1 that are found again when each of their signs is flipped with
// probability `flipped`, over `rounds` queries a code. Ties go to the first code.
double share_decoded(const Tensor& codes, double flipped, int64_t rounds, Generator& generator);
// What random codes give on average, by summing over the binomial distributions:
//   sum_d B(d; U, flipped) ((G + f)^N - G^N) / (N f),  f = B(d; U, 1/2), G = P(more than d).
double expected_share_decoded(int64_t codes, int64_t units, double flipped);
// One unit a concept: code i has unit i mod U on and all others off.
Tensor local_codes(int64_t codes, int64_t units);

// The toy model of `features` in `hidden` units at each density p (importance falls by `decay` a
// feature); of `starts` trainings the one with the least loss on 262,144 fresh examples.
struct ToyRun {
  Tensor weight;  // [features, hidden]
  double loss = 0;
};
ToyRun best_toy_model(int64_t features, int64_t hidden, double density, double decay, bool linear,
                      int steps, int starts, uint64_t seed);
// min(p/3 - p^2/4, p^2/3).
double two_feature_loss(double density);
// Features whose row of W is longer than 1/2.
int64_t represented(const Tensor& weight);

struct LinearToy {
  double distance = 0;  // |W W' - P| / |P|, P the projection on the leading components
  double excess = 0;    // loss / sum of the other eigenvalues - 1
};
// Trained on 256 fixed examples of 12 dimensions with variances of ratio 2, in `hidden` units.
LinearToy linear_toy(int64_t hidden, int steps, uint64_t seed);

}  // namespace strata::experiments
