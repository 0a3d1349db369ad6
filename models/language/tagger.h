// A tagger: it gives each word of a sentence a tag, from the word itself, its spelling and its
// neighbours on both sides. A bidirectional LSTM over word vectors (Huang et al. 2015), each joined
// by features of the word's characters, a convolution and its maximum over the word (dos Santos and
// Zadrozny 2014; Ma and Hovy 2016), so that a word never seen still shows its ending.
//
//   layer                      result            parameters                multiply-adds a word
//   word                       [N, T, E]         V E
//   character                  [N T, L, D]       A D
//   spelling, spelling.top     [N, T, F]         3 D F + F                 3 D F (L + 2)
//   embedding                  [N, T, E + F]     (word and spelling.top)
//   recurrent.layer0[_reverse] [N, T, H]         4 H (E + F + H + 2) each  4 H (E + F + H) each
//   recurrent                  [N, T, 2 H]
//   head                       [N, T, tags]      2 H tags + tags           2 H tags
//
// 490,465 parameters by default (V 5000, E 64, A 100, D 24, F 48, H 96, 17 tags), 320,000 of them
// word vectors, and 0.24 M multiply-adds a word of L = 20 letters.
#pragma once

#include "engine/nn/conv.h"
#include "engine/nn/linear.h"
#include "engine/nn/recurrent.h"
#include "models/model.h"

namespace strata {

struct TaggerOptions {
  int64_t words = 5000;      // 0 is padding, 1 a word that has no number
  int64_t characters = 100;  // 0 is padding, 1 a character that has no number
  int64_t letters = 20;      // L, of a word
  int64_t tags = 17;
  int64_t word_width = 64;       // E
  int64_t character_width = 24;  // D
  int64_t filters = 48;          // F
  int64_t width = 96;            // H
  int64_t layers = 1;
  double dropout = 0.3;  // on the embedding, between the layers and before the head
};

int64_t tagger_parameter_count(const TaggerOptions& options);

// x [N, T, 1 + L] (i64): of each word its number and the numbers of its first L characters. A
// sentence ends before its first word 0, and has at least one word. -> logits [N, T, tags]; those
// of padding say nothing.
class Tagger : public Model {
 public:
  explicit Tagger(const TaggerOptions& options = {});
  std::string kind() const override { return "Tagger"; }
  Tensor forward(const Tensor& x) override;
  // embedding, recurrent.layer0, ..., head.
  std::vector<std::string> stages() const override;
  const TaggerOptions& options() const { return options_; }

 private:
  TaggerOptions options_;
  Embedding& word_;
  Embedding& character_;
  Conv1d& spelling_;
  Dropout& dropout_;
  LSTM& recurrent_;
  Linear& head_;
};

}  // namespace strata
