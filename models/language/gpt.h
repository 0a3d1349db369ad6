// GPT: a stack of pre-norm transformer blocks that predicts the next token (Radford et al. 2019,
// "Language models are unsupervised multitask learners"; Vaswani et al. 2017). Learned positions,
// GELU in its tanh form, and the token table used again as the head (Press and Wolf 2017).
//   x = token[index] + position;  x = x + attention(norm1(x));  x = x + mlp(norm2(x));
//   logits = norm(x) token^T
//
//   layer                 result           parameters         multiply-adds a token
//   token, position       [N, T, C]        V C + T C
//   blocks.i.attention    [N, T, C]        4 C^2 + 4 C        4 C^2 + 2 T C
//   blocks.i.middle       [N, T, C]        (the stream between attention and mlp)
//   blocks.i.mlp          [N, T, C]        8 C^2 + 5 C        8 C^2
//   blocks.i.norm1, norm2                  4 C
//   norm                  [N, T, C]        2 C
//   head                  [N, T, V]        (token)            V C
//
// V C + T C + L (12 C^2 + 13 C) + 2 C parameters: 124,439,808 for GPT-2's V 50257, T 1024, C 768,
// L 12; 2,743,296 for the default here (V 256, T 128, C 192, L 6), 3.0 M multiply-adds a token.
#pragma once

#include "engine/nn/activation.h"
#include "engine/nn/attention.h"
#include "engine/nn/linear.h"
#include "engine/nn/norm.h"
#include "engine/nn/sequential.h"
#include "models/model.h"

namespace strata {

struct GptOptions {
  int64_t vocabulary = 256;
  int64_t context = 128;  // longest sequence
  int64_t width = 192;
  int64_t heads = 6;
  int64_t layers = 6;
  double dropout = 0;  // after the embedding, the attention and the mlp
};

// Parameters of a network with these options (the formula above), without making it.
int64_t gpt_parameter_count(const GptOptions& options);

class GptBlock : public Layer {
 public:
  explicit GptBlock(const GptOptions& options);
  std::string kind() const override { return "GptBlock"; }
  Tensor forward(const Tensor& x) override;

 private:
  LayerNorm& norm1_;
  MultiheadAttention& attention_;
  LayerNorm& norm2_;
  Sequential& mlp_;  // expand, gelu, contract
  Dropout& dropout_;
};

// index [N, T] (i64 or i32, T up to the context) -> logits [N, T, vocabulary].
class Gpt : public Model {
 public:
  explicit Gpt(const GptOptions& options = {});
  std::string kind() const override { return "Gpt"; }
  Tensor forward(const Tensor& index) override;
  // embedding, blocks.0, ..., norm, head.
  std::vector<std::string> stages() const override;

 private:
  GptOptions options_;
  Embedding& token_;
  Tensor position_;  // [context, width]
  Dropout& dropout_;
  Sequential& blocks_;
  LayerNorm& norm_;
};

}  // namespace strata
