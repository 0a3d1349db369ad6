// Linear centred kernel alignment (Kornblith et al. 2019, "Similarity of neural network
// representations revisited"): how alike two representations of the same examples are, whatever
// rotation or scale.
//
//   CKA(X, Y) = HSIC(K, L) / sqrt(HSIC(K, K) HSIC(L, L)),  K = X X', L = Y Y'.
// The plain estimator is biased: two independent Gaussian representations with n < D look alike.
// The debiased one uses the unbiased HSIC of Song et al. 2012 and is near 0 for them; it may be
// negative.
#pragma once

#include "engine/tensor/tensor.h"

namespace strata::introspect {

// x [N, D] -> [N, N] of inner products after centring the columns.
Tensor gram(const Tensor& x);
// From two Gram matrices of the same examples, N at least 4. Representations that are constant give
// 0.
double cka_of_grams(const Tensor& k, const Tensor& l, bool debiased = true);
double linear_cka(const Tensor& x, const Tensor& y, bool debiased = true);

}  // namespace strata::introspect
