// From logits to text: which token comes next.
//
//   temperature   softmax(logits / temperature): below 1 sharper, above 1 flatter; 0 takes the
//                 likeliest (greedy)
//   top-k         only the k likeliest tokens (Fan et al. 2018)
//   top-p         only the nucleus, the smallest set of likeliest tokens that holds at least p of
//                 the probability (Holtzman et al. 2020)
//
// They act in this order, each on what the one before left, scaled to sum to 1 again. Cost of a
// draw from V tokens: O(V), and a sort of V log V where top-k or top-p cut.
#pragma once

#include "engine/ops/random.h"
#include "models/language/gpt.h"

namespace strata {

struct SamplingOptions {
  double temperature = 1;  // at least 0
  int64_t top_k = 0;       // 0: all
  double top_p = 1;        // in (0, 1]
};

// The probabilities that a token is drawn with: logits [..., V] -> [..., V], rows sum to 1. Among
// equal logits at the edge of top-k or the nucleus the lower number stays.
Tensor sampling_probabilities(const Tensor& logits, const SamplingOptions& options = {},
                              Caller at = Caller::here());

// A token from each row of logits [..., V]: i64 [...]. `generator`: the thread's own if null; a
// greedy choice draws nothing from it.
Tensor sample(const Tensor& logits, const SamplingOptions& options = {},
              Generator* generator = nullptr, Caller at = Caller::here());

struct GenerateOptions : SamplingOptions {
  int64_t tokens = 100;  // to add, at most
  int64_t stop = -1;     // a sequence ends with this token; -1: none does
  bool cached = true;    // keep keys and values (the same tokens either way, up to rounding)
};

// Continues the prompts index [N, T], T at least 1: i64 [N, T + added]. A sequence that has ended
// is filled up with the stop token, and when all have, so has the whole. The model is in
// evaluation mode meanwhile, and as before afterwards.
//
// Longer than the context: when the window is full it goes on with its later half, so a token is
// predicted from between half a context and a whole one.
Tensor generate(Gpt& model, const Tensor& index, const GenerateOptions& options = {},
                Generator* generator = nullptr, Caller at = Caller::here());

}  // namespace strata
