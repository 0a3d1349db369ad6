// BERT: a transformer that reads a text in both directions at once (Devlin et al. 2019, "BERT:
// Pre-training of deep bidirectional transformers for language understanding"). One encoder, and a
// head for each use: filling gaps, telling classes of texts, tagging tokens. Norms stand after the
// sums, GELU is exact, and every token carries a type besides its position: 0 for the first
// sentence, 1 for the second.
//   x = norm(token[index] + position + type[types]);
//   x = norm1(x + attention(x));  x = norm2(x + mlp(x))
//
//   layer                        result         parameters              multiply-adds a token
//   encoder.embedding            [N, T, C]      (V + T + types) C + 2 C
//   encoder.blocks.i.attention   [N, T, C]      4 C^2 + 4 C             4 C^2 + 2 T C
//   encoder.blocks.i.middle      [N, T, C]      2 C (norm1)
//   encoder.blocks.i.mlp         [N, T, C]      8 C^2 + 5 C             8 C^2
//   encoder.blocks.i             [N, T, C]      2 C (norm2)
//   BertMaskedLm: head           [N, T, V]      C^2 + 3 C + V           C^2 + V C
//   BertClassifier: pooler       [N, C]         C^2 + C                 C^2 a text
//                   head         [N, classes]   (C + 1) classes
//   BertTagger: head             [N, T, tags]   (C + 1) tags            C tags
//   BertSentence                 [N, C]         0                       C
//
//   uncased, V 30522, T 512       L    C     heads   encoder       with pooler   with masked LM
//   bert-base                     12   768   12      108,891,648   109,482,240   109,514,298
//   bert-large                    24   1024  16      334,092,288   335,141,888   335,174,458
//   bert (V 256, T 128)           4    128   4           842,752       859,264       859,776
#pragma once

#include "engine/nn/activation.h"
#include "engine/nn/attention.h"
#include "engine/nn/norm.h"
#include "engine/nn/sequential.h"
#include "models/model.h"

namespace strata {

struct BertOptions {
  int64_t vocabulary = 256;
  int64_t context = 128;  // longest sequence
  int64_t width = 128;
  int64_t heads = 4;
  int64_t layers = 4;
  int64_t types = 2;
  int64_t padding =
      0;               // the token that fills up short sequences, which nobody attends to; -1: none
  double dropout = 0;  // after the embedding, the attention, the mlp, and before a head
};

// The published sizes, "bert-base" and "bert-large" (dropout 0.1); another name is an error.
BertOptions bert_options(const std::string& name, Caller at = Caller::here());
// Parameters of an encoder, of a pooler and of the masked-LM head, without making them.
int64_t bert_encoder_parameter_count(const BertOptions& options);
int64_t bert_pooler_parameter_count(const BertOptions& options);
int64_t bert_masked_head_parameter_count(const BertOptions& options);

class BertBlock : public Layer {
 public:
  explicit BertBlock(const BertOptions& options);
  std::string kind() const override { return "BertBlock"; }
  Tensor forward(const Tensor& x) override { return transform(x, {}); }
  using Layer::operator();
  // mask as scaled_dot_product_attention takes it.
  Tensor operator()(const Tensor& x, const Tensor& mask);

 private:
  Tensor transform(const Tensor& x, const Tensor& mask);

  MultiheadAttention& attention_;
  LayerNorm& norm1_;
  Sequential& mlp_;  // expand, gelu, contract
  LayerNorm& norm2_;
  Dropout& dropout_;
};

// index [N, T] (i64 or i32, T up to the context) -> states [N, T, C].
class BertEncoder : public Model {
 public:
  explicit BertEncoder(const BertOptions& options = {});
  std::string kind() const override { return "BertEncoder"; }
  // All of type 0; tokens that are options.padding are hidden.
  Tensor forward(const Tensor& index) override { return encode(index, {}, {}); }
  using Layer::operator();
  // types [N, T] (i64 or i32, below options.types; undefined: 0), seen [N, T] (bool, false hides a
  // token from all; undefined: the tokens that are not options.padding).
  Tensor operator()(const Tensor& index, const Tensor& types, const Tensor& seen = {});
  // embedding, blocks.0, ...
  std::vector<std::string> stages() const override;
  const BertOptions& options() const { return options_; }
  const Tensor& token_table() const { return token_.weight; }  // [vocabulary, C]

 private:
  Tensor encode(const Tensor& index, const Tensor& types, const Tensor& seen);

  BertOptions options_;
  Embedding &token_, &position_, &type_;
  LayerNorm& norm_;
  Dropout& dropout_;
  Sequential& blocks_;
};

// An encoder under a head; takes what the encoder takes.
class BertModel : public Model {
 public:
  explicit BertModel(const BertOptions& options) : encoder_(add<BertEncoder>("encoder", options)) {}
  Tensor forward(const Tensor& index) override { return decide(encoder_(index)); }
  using Layer::operator();
  Tensor operator()(const Tensor& index, const Tensor& types, const Tensor& seen = {}) {
    return run(index, [&] { return decide(encoder_(index, types, seen)); });
  }
  // encoder.embedding, encoder.blocks.0, ..., what is special to the head, head.
  std::vector<std::string> stages() const override;
  BertEncoder& encoder() { return encoder_; }

 protected:
  // states [N, T, C] -> logits.
  virtual Tensor decide(const Tensor& states) = 0;
  // Paths between the encoder's and "head".
  virtual std::vector<std::string> inner_stages() const { return {}; }
  // Normal weights of deviation 0.02 and zero biases, as the paper's; called by constructors. A
  // network narrower than the paper's has wider weights, 0.02 sqrt(768 / C), so that its products
  // are of the same size: filling gaps of terrace-text, a width of 64 takes 900 steps with 0.02 to
  // the loss that it otherwise reaches after 600.
  void initialise();

  BertEncoder& encoder_;
};

// norm(gelu(transform(x))) token^T + bias: the token table used again (Press and Wolf 2017).
class BertMaskedHead : public Layer {
 public:
  // `token` [vocabulary, C] belongs to the encoder.
  explicit BertMaskedHead(const Tensor& token);
  std::string kind() const override { return "BertMaskedHead"; }
  Tensor forward(const Tensor& states) override;

 private:
  Tensor token_, bias_;
  Linear& transform_;
  LayerNorm& norm_;
};

// What stands in each place: logits [N, T, vocabulary].
class BertMaskedLm : public BertModel {
 public:
  explicit BertMaskedLm(const BertOptions& options = {});
  std::string kind() const override { return "BertMaskedLm"; }

 protected:
  Tensor decide(const Tensor& states) override { return head_(states); }

 private:
  BertMaskedHead& head_;
};

// What kind of text it is, from tanh(pooler(state of the first token)): logits [N, classes].
class BertClassifier : public BertModel {
 public:
  BertClassifier(const BertOptions& options, int64_t classes);
  std::string kind() const override { return "BertClassifier"; }

 protected:
  Tensor decide(const Tensor& states) override;
  std::vector<std::string> inner_stages() const override { return {"pooled"}; }

 private:
  Linear& pooler_;
  Dropout& dropout_;
  Linear& head_;
};

// A tag for each token: logits [N, T, tags].
class BertTagger : public BertModel {
 public:
  BertTagger(const BertOptions& options, int64_t tags);
  std::string kind() const override { return "BertTagger"; }

 protected:
  Tensor decide(const Tensor& states) override { return head_(dropout_(states)); }

 private:
  Dropout& dropout_;
  Linear& head_;
};

// The vector of a text, for comparing texts by cosine: the mean of the states of the tokens that
// are not padding, of length 1: [N, C] (Reimers and Gurevych 2019, "Sentence-BERT"). An explicit
// `seen` hides tokens from the others only; all are in the mean then.
class BertSentence : public BertModel {
 public:
  explicit BertSentence(const BertOptions& options);
  std::string kind() const override { return "BertSentence"; }
  Tensor forward(const Tensor& index) override;
  std::vector<std::string> stages() const override;

 private:
  Tensor decide(const Tensor& states) override;
};

}  // namespace strata
