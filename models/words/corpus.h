// A text as numbers of words, for word vectors.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace strata {

struct Corpus {
  static constexpr int boundary = -1;  // in `tokens`: no window goes across
  std::vector<std::string> words;      // by falling count, then by the alphabet
  std::vector<int64_t> counts;
  std::vector<int> tokens;
};

// Words are runs of letters and apostrophes in lower case; those that come fewer than `least` times
// are left out, as word2vec does. No boundaries.
Corpus corpus_of(std::string_view text, int64_t least = 5);

// Numbers in an order that tells nothing: what is left of a corpus when only counts matter. The
// control of everything that is said to come out of co-occurrences. Boundaries stay where they are.
void shuffle_tokens(Corpus& corpus, uint64_t seed);

}  // namespace strata
