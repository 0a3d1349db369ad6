// Where attention looks, through all layers at once. Both start from the attention patterns
// A_l [N, heads, T, T] of the blocks, rows queries and columns keys, and give [N, T, T]: row t, how
// much the output at position t draws on each position of the input.
//
// Rollout (Abnar and Zuidema 2020): information mixes by heads' mean attention, and a residual
// stream carries the rest past it,
//   R = (w I + (1 - w) mean_h A_L) ... (w I + (1 - w) mean_h A_1);   rows sum to 1.
// It does not depend on what is asked of the model.
//
// Relevance (Chefer, Gur and Wolf 2021, "Generic attention-model explainability", equations 5-7,
// for self-attention): a head counts where more attention would raise the score,
//   R = I;   R = R + mean_h max(0, A_l * d score / d A_l) R   for l = 1 ... L.
//
// Cost: rollout one forward pass, relevance one forward and one backward; N L T^3 operations.
#pragma once

#include <string>
#include <vector>

#include "tools/introspect/edit.h"

namespace strata::introspect {

// Patterns from the first block to the last. `residual`: w above, 0 to 1. Errors: patterns that are
// not [N, heads, T, T] or differ in N or T.
Tensor attention_rollout(const std::vector<Tensor>& patterns, double residual = 0.5);
// `gradients`: d score / d pattern, one for each pattern.
Tensor attention_relevance(const std::vector<Tensor>& patterns,
                           const std::vector<Tensor>& gradients);

// The same for a model and its named patterns ("blocks.0.attention.pattern", ...), in order; no
// names: all that the model has.
Tensor attention_rollout(const Scores& model, const Tensor& x, std::vector<std::string> names = {},
                         double residual = 0.5);
// For scores[n, target[n]] (see target.h). Of a model that reads its last position, the last row is
// the answer: .select(1, T - 1).
Tensor attention_relevance(const Scores& model, const Tensor& x, const std::vector<int64_t>& target,
                           std::vector<std::string> names = {});

// Names of the attention patterns of a model, in the order it computes them. Errors: it has none.
std::vector<std::string> attention_patterns(const Scores& model, const Tensor& x);

}  // namespace strata::introspect
