// What word2vec learns from: centres of a corpus with the words around them and sampled negatives
// (Mikolov et al. 2013, "Distributed representations of words and phrases"; the details as their
// program has them).
//
//   subsampling   a token is kept with probability min(1, (sqrt(f / t) + 1) t / f), f the share of
//                 its word in the corpus; windows reach over what was left out
//   window        1 .. window words on each side, the width drawn anew for each centre
//   negatives     drawn in proportion to count^0.75; one that is the positive word is left out
//
// Batch `step` is a function of (corpus, options, step): tokens [step B, (step + 1) B) of the
// corpus over and over, with Philox keyed by (seed, token, pass).
#pragma once

#include <cstdint>
#include <vector>

#include "models/words/alias_table.h"
#include "models/words/corpus.h"

namespace strata {

struct WordPairOptions {
  bool cbow = false;  // context -> centre; otherwise skip-gram, centre -> each word of the context
  int window = 5;
  int negatives = 5;
  double subsample = 1e-3;  // t; 0: every token is kept
  double power = 0.75;
  int64_t batch = 512;  // tokens a batch, before subsampling
  uint64_t seed = 1;
};

// Examples of a batch. Example e has the input words inputs[input_begin[e] .. input_begin[e + 1]),
// whose mean predicts its targets, likewise; labels: 1 the word was there, 0 a negative.
struct WordPairs {
  std::vector<int64_t> input_begin = {0}, target_begin = {0};
  std::vector<int64_t> inputs, targets;
  std::vector<float> labels;
  int64_t examples() const { return static_cast<int64_t>(input_begin.size()) - 1; }
};

class WordPairSampler {
 public:
  // `corpus` must outlive the sampler.
  WordPairSampler(const Corpus& corpus, const WordPairOptions& options, Caller at = Caller::here());
  WordPairs batch(int64_t step) const;
  // Batches of a pass over the corpus.
  int64_t batches() const;

 private:
  bool keep(int64_t token, int64_t pass) const;
  void add_example(int64_t token, int64_t pass, WordPairs& out) const;

  const Corpus& corpus_;
  WordPairOptions options_;
  AliasTable noise_;
  std::vector<double> keep_;  // probability by word
};

}  // namespace strata
