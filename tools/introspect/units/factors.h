// What a layer sees, in a few parts: non-negative factors of its activations (Lee and Seung 1999;
// Olah et al. 2018, "The building blocks of interpretability"),
//
//   X ~ W H,   X [M, C] activations at M places, W [M, k] >= 0 where, H [k, C] >= 0 what,
//
// by hierarchical alternating least squares (Cichocki and Phan 2009): each column in turn takes its
// best non-negative value, the others fixed. It starts from the singular vectors (Boutsidis and
// Gallopoulos 2008, "SVD based initialization", zeros filled by the mean), so nothing is random.
// Cost: an eigendecomposition [C, C], and 4 M C k operations an iteration.
#pragma once

#include "engine/tensor/tensor.h"

namespace strata::introspect {

struct FactorOptions {
  int max_iterations = 200;
  double tolerance = 1e-6;  // stop when the relative error falls by less in ten iterations
};
struct Factors {
  Tensor weights;     // [M, k]; of a map [N, H, W, k]
  Tensor directions;  // [k, C], rows of length 1; factors in order of their energy, largest first
  double error = 0;   // |X - W H| / |X|
  int iterations = 0;
};

// x [M, C], f32 or f64, or an activation [N, H, W, C] or [N, T, C], whose weights keep its shape
// with k channels. Errors: negative or non-finite values (take the layer behind its ReLU); k not
// in 1..min(M, C).
Factors factorise(const Tensor& x, int64_t k, const FactorOptions& options = {});
// Weights of other activations on the directions of factors: min_W |X - W H|, W >= 0, by the same
// updates, `iterations` of them.
Tensor factor_weights(const Tensor& x, const Tensor& directions, int iterations = 100);

}  // namespace strata::introspect
