// Fits of word vectors to a corpus, each behind the same few calls: what tools/train/words.cpp
// trains, twice, since the control is the same fit to shuffled words.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "models/model.h"
#include "models/words/corpus.h"
#include "models/words/row_gradient.h"

namespace strata::train {

class WordFit {
 public:
  virtual ~WordFit() = default;
  virtual Model& model() = 0;
  // Steps of a pass over the corpus, or over its co-occurrences.
  virtual int64_t steps_a_pass() const = 0;
  // A sparse step, on the cpu; returns the loss.
  virtual double update(int64_t step, AdaGrad& optimizer) = 0;
  // The same loss by autograd, on any device.
  virtual Tensor loss(int64_t step) = 0;
  virtual Tensor vectors() const = 0;  // [words, width]
};

// method: "skipgram", "cbow" or "glove", as in the registry. `options`: those of the model but the
// vocabulary, and window, batch, negatives, subsample (word2vec), every_cell (GloVe: also those of
// no count, models/words/cooccurrence.h). An unknown one is an error. The corpus must outlive the
// fit.
std::unique_ptr<WordFit> make_word_fit(const std::string& method, const Corpus& corpus,
                                       const nlohmann::json& options, uint64_t seed);

}  // namespace strata::train
