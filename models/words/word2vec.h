// word2vec: vectors of words that predict the words around them, by telling them from sampled ones
// (Mikolov et al. 2013, "Efficient estimation of word representations in vector space" and
// "Distributed representations of words and phrases and their compositionality").
//   h = mean of input[w] over the input words
//   loss of a target = -log sigmoid(h . output[t]), of a negative -log sigmoid(-h . output[t])
// Skip-gram and CBOW are this network with different examples (models/words/word_pairs.h): one
// input word and the words around it as targets; or the words around as inputs and one target.
//
//   layer      result           parameters   multiply-adds a target
//   input      [N, C]           V C          (mean of rows)
//   output     [N, V]           V C          2 C forward and backward each, only of targets sampled
//
// 2 V C parameters: 2,000,000 for the default (V 10,000, C 100). The input table holds the vectors.
//
// Loss and gradient come in two ways: loss() by autograd, on any device; gradient() by loops over
// the rows that a batch touches, on the cpu, whose cost does not depend on V.
#pragma once

#include <array>

#include "engine/nn/linear.h"
#include "models/model.h"
#include "models/words/row_gradient.h"
#include "models/words/word_pairs.h"

namespace strata {

struct Word2VecOptions {
  int64_t vocabulary = 10000;
  int64_t width = 100;
};

// 2 V C.
int64_t word2vec_parameter_count(const Word2VecOptions& options);

class Word2Vec : public Model {
 public:
  // Input uniform within 0.5 / C, output zero, as in Mikolov's program.
  explicit Word2Vec(const Word2VecOptions& options = {});
  std::string kind() const override { return "Word2Vec"; }
  // index [N], or [N, K] for the mean of K words: scores of all words, [N, V].
  Tensor forward(const Tensor& index) override;
  std::vector<std::string> stages() const override { return {"embedding", "head"}; }

  // The losses of all targets, summed, over the number of examples; recorded.
  Tensor loss(const WordPairs& pairs);
  struct Gradient {
    double loss = 0;
    std::array<RowGradient, 2> rows;  // of the parameters, in their order
  };
  // The same loss, and its gradient. f32 on the cpu.
  Gradient gradient(const WordPairs& pairs, Caller at = Caller::here()) const;

  const Tensor& vectors() const { return input_.weight; }  // [V, C]

 private:
  Embedding& input_;
  Embedding& output_;
};

}  // namespace strata
