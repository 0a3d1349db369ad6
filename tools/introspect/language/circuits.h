// What a head can do, read from its weights alone (Elhage et al. 2021, "A mathematical framework
// for transformer circuits"). On row vectors of the normalised stream:
//   QK [C, C]  score(q, k) = x_q QK x_k'    where it looks
//   OV [C, C]  x_k OV                       what it moves from there
// Both have rank D and are kept as two factors; biases are left out. The norms' centring and
// weights are folded into the matrices that read the stream, so that products chain; their scales,
// which depend on the input, are not.
#pragma once

#include <vector>

#include "tools/introspect/language/parts.h"
#include "tools/introspect/linear_algebra.h"

namespace strata::introspect {

// left [M, r] right [r, N], f64.
struct Factored {
  Tensor left, right;
};
Tensor product(const Factored& matrix);
Factored transposed(const Factored& matrix);
Factored chained(const Factored& a, const Factored& b);
double frobenius_norm(const Factored& matrix);
// Thin, of rank r, in O((M + N) r^2).
ThinSvd svd(const Factored& matrix);
// sum of eigenvalues / sum of their magnitudes, of a square matrix: 1 where a head writes what it
// reads (copying), -1 where it writes the opposite, near 0 at random.
double copying_score(const Factored& matrix);

Factored qk_circuit(Gpt& model, int64_t layer, int64_t head);  // with the 1 / sqrt(D) in it
Factored ov_circuit(Gpt& model, int64_t layer, int64_t head);
// Through the embedding, [V, V]: how the query's token likes each key's token, and what attending
// to a token adds to each logit. Rank D: product() is for small vocabularies.
Factored full_qk_circuit(Gpt& model, int64_t layer, int64_t head);
Factored full_ov_circuit(Gpt& model, int64_t layer, int64_t head);

// How much of what an earlier head writes a later one reads, through its query, key or value:
//   |OV_a QK_b|, |QK_b OV_a'|, |OV_a OV_b|, over |first| |second| (Frobenius norms). In [0, 1];
// about 1 / sqrt(C) for random weights.
enum class Composition { query, key, value };
// [layers, heads, layers, heads], f64: of the first two into the last two; 0 where not earlier.
Tensor composition_scores(Gpt& model, Composition kind);

}  // namespace strata::introspect
