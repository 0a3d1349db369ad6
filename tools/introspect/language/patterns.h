// Attention patterns, and heads recognised by them (Olsson et al. 2022, "In-context learning and
// induction heads"; the definitions are those of TransformerLens's head detector).
//
// A score is attention that goes where a head of that kind would look: the share that a query gives
// to the marked keys, averaged over the queries that have marked keys. 1 is a perfect head; a head
// that looks everywhere alike scores as many keys as are marked over those it may see.
//   previous token   key t - 1
//   duplicate token  earlier keys with the query's token
//   induction        keys one after an earlier occurrence of the query's token
// Measured on random tokens that are given twice, where nothing but repetition can be learned from.
#pragma once

#include <string>
#include <vector>

#include "engine/nn/layer.h"

namespace strata::introspect {

// The pattern [N, heads, T, S] of every attention layer of any model, by the layer's path; in
// evaluation mode.
std::vector<NamedTensor> attention_patterns(Layer& model, const Tensor& x);

// pattern [N, heads, T, S], tokens [N, T] -> [heads], f64.
Tensor previous_token_score(const Tensor& pattern);
Tensor duplicate_token_score(const Tensor& pattern, const Tensor& tokens);
Tensor induction_score(const Tensor& pattern, const Tensor& tokens);
// The score for any kind of head: marked bool [N, T, S]. No query with a marked key is an error.
Tensor attention_to(const Tensor& pattern, const Tensor& marked);

struct HeadScoreOptions {
  int64_t length = 16;  // of what is repeated; sequences are twice that
  int64_t sequences = 16;
  uint64_t seed = 1;
};
// [sequences, 2 length] i64: random tokens of the vocabulary, twice.
Tensor repeated_random_tokens(int64_t vocabulary, const HeadScoreOptions& options = {});

struct HeadScores {
  std::vector<std::string> layers;        // paths of the attention layers
  Tensor previous, duplicate, induction;  // [layers, heads], f64
};
// Of all heads of a model of tokens.
HeadScores head_scores(Layer& model, int64_t vocabulary, const HeadScoreOptions& options = {});

}  // namespace strata::introspect
