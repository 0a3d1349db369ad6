// A recurrent language model: it predicts the next token from a state of fixed size, one token
// after the other (Mikolov et al. 2010, "Recurrent neural network based language model"; with LSTM
// and dropout between the layers, Zaremba et al. 2014).
//   x = token[index];  x = recurrent(x);  logits = head(x)
//
//   layer              result         parameters                multiply-adds a token
//   token              [N, T, E]      V E
//   recurrent.layer0   [N, T, H]      G H (E + H + 2)           G H (E + H)
//   recurrent.layeri   [N, T, H]      G H (2 H + 2)             2 G H^2
//   head               [N, T, V]      V H + V                   V H
//
// with G = 1 (rnn), 3 (gru), 4 (lstm): 1,020,160 parameters and 0.99 M multiply-adds a token for
// the default LSTM (V 256, E 128, H 256, L 2). Tied (Press and Wolf 2017): the head is the token
// table and a bias, which needs E = H.
#pragma once

#include "engine/nn/linear.h"
#include "engine/nn/recurrent.h"
#include "models/model.h"

namespace strata {

struct RecurrentLmOptions {
  RecurrentCell cell = RecurrentCell::lstm;
  int64_t vocabulary = 256;
  int64_t embedding = 128;
  int64_t width = 256;
  int64_t layers = 2;
  double dropout = 0;  // on the embedding, between the layers and before the head
  bool tied = false;
};

// Parameters of a network with these options (the formula above), without making it.
int64_t recurrent_lm_parameter_count(const RecurrentLmOptions& options);

// index [N, T] (i64 or i32, T at least 1) -> logits [N, T, vocabulary].
class RecurrentLm : public Model {
 public:
  explicit RecurrentLm(const RecurrentLmOptions& options = {});
  std::string kind() const override { return "RecurrentLm"; }
  Tensor forward(const Tensor& index) override;
  // Logits [N, T, vocabulary] of tokens that follow those that led to `state` (undefined tensors:
  // none did), which becomes the state after them. For one token at a time, and for training over
  // pieces of a long text.
  Tensor next(const Tensor& index, RecurrentState& state);
  // embedding, recurrent.layer0, ..., head.
  std::vector<std::string> stages() const override;
  const RecurrentLmOptions& options() const { return options_; }

 private:
  RecurrentLmOptions options_;
  Embedding& token_;
  Dropout& dropout_;
  Recurrent& recurrent_;
  Linear* head_ = nullptr;  // undefined when tied
  Tensor bias_;             // of the tied head
};

}  // namespace strata
