// Word vectors on terrace-text, judged by the analogies that its grammar plants: what an experiment
// fits several times, with the words in their order and in an order that tells nothing.
#pragma once

#include <cstdint>
#include <string>

#include "models/words/analogies.h"
#include "models/words/corpus.h"

namespace strata::experiments {

// `passages` of terrace-text by the seed; windows do not leave a passage.
Corpus terrace_words(uint64_t seed, int64_t passages);

struct AnalogyShares {
  double right = 0;         // the words of the question are no answers
  double right_of_all = 0;  // every word may be the answer
};
// A fit of "skipgram", "cbow" or "glove" with AdaGrad at a rate that falls linearly, for so many
// passes over the corpus (GloVe: over the cells of its co-occurrences, which are fewer and cheaper:
// `passes` times 33). Windows and widths are those of `strata train`.
AnalogyShares planted_analogies_of(const std::string& method, const Corpus& corpus, double passes,
                                   uint64_t seed);

}  // namespace strata::experiments
