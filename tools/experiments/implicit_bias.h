// Problems with more unknowns than equations, what gradient descent makes of them, and the
// solutions that theory says it ends at. All in f64; E6 asks whether the two are the same.
//
//   least squares          start + X^+ (y - X start)               the nearest solution
//   w = u^2 - v^2          argmin Q(w), X w = y, Q(w) = sum w asinh(w / 2a^2) - sqrt(w^2 + 4a^4)
//     from u = v = a       (Woodworth et al. 2020): the L1 norm for a -> 0, L2 for a -> infinity
//   separable logistic     the hard-margin direction (Soudry et al. 2018), with angle ~ 1 / log t
//   W = U V' from U, V ~ a low rank for a -> 0 (Gunasekar et al. 2017; Arora et al. 2019)
#pragma once

#include <functional>
#include <vector>

#include "engine/ops/random.h"
#include "engine/optim/optimizer.h"

namespace strata::experiments {

// Steps of `optimizer` on `loss` until it is at most `tolerance` or `steps` are done; returns the
// loss at the end.
double descend(Optimizer& optimizer, const std::function<Tensor()>& loss, int64_t steps,
               double tolerance);

// X w = y, X [N, D] standard normal with N < D, y = X truth; truth [D] has `nonzero` entries of
// magnitude 1 to 2 and random sign.
struct Regression {
  Tensor x, y, truth;
};
Regression sparse_regression(int64_t n, int64_t d, int64_t nonzero, Generator& generator);
// |X w - y| / |y|.
double relative_residual(const Regression& problem, const Tensor& w);
// |a - b| / |b|.
double relative_distance(const Tensor& a, const Tensor& b);

// start + X' (X X')^-1 (y - X start): of all solutions the one nearest to `start`.
Tensor nearest_solution(const Regression& problem, const Tensor& start);
// A solution of smallest L1 norm (basis pursuit: Chen, Donoho and Saunders 1998), by the
// alternating direction method (Boyd et al. 2011). It solves X w = y to rounding.
Tensor smallest_l1(const Regression& problem);
// argmin Q(w) with X w = y, by Newton's method on the dual: w = 2a^2 sinh(X' nu). The limit of
// gradient flow on u^2 - v^2 from u = v = a.
Tensor diagonal_limit(const Regression& problem, double scale);
// w = u^2 - v^2 after gradient descent from u = v = scale on |X w - y|^2 / 2N.
Tensor train_diagonal(const Regression& problem, double scale, double rate, int64_t steps);

// Rows z = label * point [N, D] that some direction separates.
Tensor separable_points(int64_t n, int64_t d, double gap, Generator& generator);
// The unit vector of largest margin min_i z_i w, by coordinate ascent on the dual. Rows that no
// direction separates are an error.
Tensor hard_margin(const Tensor& z);
// How soon the angle to `direction`, the hard margin's, follows its law of 1 / log t: all else
// falls as t^-p, and this is the smallest p. A point beyond the margin pulls with p = its distance
// over the margin, less 1; the support vectors settle among themselves with p the smallest
// eigenvalue of sum a z z', where w = sum a z is `direction` scaled to margin 1 (the flow of Soudry
// et al. 2018, linear around its end).
double slowest_pull(const Tensor& z, const Tensor& direction);
// The angle of w to `direction` along gradient descent from 0 on mean log(1 + exp(-z w)). Steps
// grow as 1 / loss, which the curvature allows (it falls with the loss), so that `time`, the sum of
// the steps, passes e^60 within thousands of them: gradient flow, in time that plain descent with a
// fixed step shares. It ends early where the loss has no more digits (1e-290).
struct AngleCurve {
  std::vector<double> log_time, angle;
};
AngleCurve margin_angles(const Tensor& z, const Tensor& direction, int64_t steps);

// A [n, n] matrix of rank `rank`, and the entries that are seen (f64, 0 or 1).
struct Completion {
  Tensor matrix, seen;
};
Completion completion(int64_t n, int64_t rank, double share_seen, Generator& generator);
// U V' after gradient descent from entries of deviation `scale` on the seen entries.
Tensor train_factors(const Completion& problem, double scale, double rate, int64_t steps,
                     Generator& generator);
// exp(entropy of the singular values, normalised to sum 1) (Roy and Vetterli 2007).
double effective_rank_of(const Tensor& matrix);

}  // namespace strata::experiments
