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
// V C + T C + L (12 C^2 + 13 C) + 2 C parameters. GPT-2's sizes, V 50257 and T 1024:
//
//                  L    C     heads   parameters      multiply-adds a token at T 1024
//   gpt2           12   768   12        124,439,808     142 M
//   gpt2-medium    24   1024  16        354,823,168     404 M
//   gpt2-large     36   1280  20        774,030,080     866 M
//   gpt2-xl        48   1600  25      1,557,611,200   1,712 M
//   gpt (default)  6    192   6           2,743,296     3.0 M  (V 256, T 128)
//   gpt-nano       3    48    3             103,344     0.1 M  (V 256, T 128)
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

// GPT-2's published sizes: "gpt2", "gpt2-medium", "gpt2-large", "gpt2-xl"; another name is an
// error.
GptOptions gpt2_options(const std::string& name, Caller at = Caller::here());
// Karpathy's gpt-nano (minGPT, 2020): 3 layers of width 48.
GptOptions gpt_nano_options();

// Parameters of a network with these options (the formula above), without making it.
int64_t gpt_parameter_count(const GptOptions& options);

class GptBlock : public Layer {
 public:
  explicit GptBlock(const GptOptions& options);
  std::string kind() const override { return "GptBlock"; }
  Tensor forward(const Tensor& x) override;
  using Layer::operator();
  // Tokens x [N, T, C] that follow those in the cache.
  Tensor operator()(const Tensor& x, KeyValueCache& cache);

 private:
  Tensor transform(const Tensor& x, KeyValueCache* cache);

  LayerNorm& norm1_;
  MultiheadAttention& attention_;
  LayerNorm& norm2_;
  Sequential& mlp_;  // expand, gelu, contract
  Dropout& dropout_;
};

// What a Gpt keeps of the tokens so far: 2 L T C numbers a sequence when it is full.
struct GptCache {
  std::vector<KeyValueCache> blocks;
  int64_t length() const { return blocks.empty() ? 0 : blocks.front().length; }
};

// index [N, T] (i64 or i32, T up to the context) -> logits [N, T, vocabulary].
class Gpt : public Model {
 public:
  explicit Gpt(const GptOptions& options = {});
  std::string kind() const override { return "Gpt"; }
  Tensor forward(const Tensor& index) override;
  // embedding, blocks.0, ..., norm, head.
  std::vector<std::string> stages() const override;

  // An empty cache for sequences of up to the context's length.
  GptCache cache() const;
  // Takes in tokens index [N, T] that follow those in the cache and predicts the next one: logits
  // [N, vocabulary], what forward() gives at the last position of the whole. Costs the new tokens
  // alone. Without gradients only; past the context is an error.
  Tensor next(const Tensor& index, GptCache& cache);
  const GptOptions& options() const { return options_; }

 private:
  Tensor embed(const Tensor& index, int64_t first);

  GptOptions options_;
  Embedding& token_;
  Tensor position_;  // [context, width]
  Dropout& dropout_;
  Sequential& blocks_;
  LayerNorm& norm_;
};

}  // namespace strata
