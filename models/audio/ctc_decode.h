// Reading labels out of a network trained with ctc_loss (engine/ops/ctc.h).
#pragma once

#include <vector>

#include "engine/tensor/tensor.h"

namespace strata {

struct Transcript {
  std::vector<int64_t> labels;
  double log_probability = 0;
};

// The likeliest class of each step, collapsed; the log-probability is that of this one alignment.
// log_probabilities [T, C].
Transcript ctc_greedy(const Tensor& log_probabilities, int64_t blank = 0,
                      Caller at = Caller::here());

// Prefix beam search (Hannun et al. 2014, "First-pass large vocabulary continuous speech
// recognition using bi-directional recurrent DNNs"): keeps the `width` likeliest beginnings, each
// with the summed probability of its alignments that end in the blank and of those that end in its
// last label. With a width beyond the number of beginnings it is exact. Best first; the
// log-probability is that of all alignments kept. Cost: T width C.
std::vector<Transcript> ctc_beam_search(const Tensor& log_probabilities, int64_t width,
                                        int64_t blank = 0, Caller at = Caller::here());

// Edits (insertions, deletions, substitutions) that turn one into the other: Levenshtein 1966.
int64_t edit_distance(const std::vector<int64_t>& a, const std::vector<int64_t>& b);

}  // namespace strata
