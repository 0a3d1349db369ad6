// Conformer: Gulati et al. 2020, "Conformer: convolution-augmented transformer for speech
// recognition". Two convolutions of stride 2 take every fourth frame; then blocks of attention over
// all and convolution over neighbouring frames, between two halves of a feed-forward layer
// (macaron):
//   x = x + half(x) / 2;  x = x + attention(x);  x = x + convolution(x);  x = x + half(x) / 2;
//   x = norm(x)
//   half:         norm, expand to 4 C, swish, contract
//   attention:    norm, heads with relative positions (Dai et al. 2019, Transformer-XL):
//                 softmax(((q + u) k^T + (q + v) p[i - j]^T) / sqrt(D)) v,  p a product of
//                 sinusoids
//   convolution:  norm, expand to 2 C, GLU, depthwise over k frames, batch norm, swish, contract
// The head gives logits of each remaining step (for ctc_loss, class 0 the blank), or with `pooled`
// of the mean over them. Padding is input like any other: pad with silence.
//
//   layer                  result                     parameters                 multiply-adds
//   subsampling.conv1      [N, T/2, M/2, C]           9 C + C                    9 C T M / 4
//   subsampling.conv2      [N, T/4, M/4, C]           9 C^2 + C                  9 C^2 T M / 16
//   subsampling            [N, T/4, C]                C^2 M/4 + C                C^2 M T / 16
//   and for each block and each of the T/4 steps, with t = T/4
//   blocks.i.first         [N, t, C]                  8 C^2 + 7 C                8 C^2
//   blocks.i.attention     [N, t, C]                  5 C^2 + 8 C                4 C^2 + 2 C^2 + 4
//   t C blocks.i.convolution   [N, t, C]                  3 C^2 + (k + 8) C          3 C^2 + k C
//   blocks.i.second        [N, t, C]                  8 C^2 + 7 C                8 C^2
//   blocks.i.norm          [N, t, C]                  2 C
//   head                   [N, t, classes]            C classes + classes        C classes
// (t = ceil(ceil(T / 2) / 2), M/4 alike.)
//
//                 blocks   C    heads   k    encoder (80 mels)   the paper's model
//   conformer-s     16    144     4    32          8,713,152 of  10.3 M
//   conformer-m     16    256     4    32         27,331,584 of  30.7 M
//   conformer-l     17    512     8    32        115,120,128 of 118.8 M
// The paper's numbers count an LSTM decoder (width 320, 640, 640) with its embedding and joint
// network, which a CTC model does not have; the encoder is the paper's.
#pragma once

#include "engine/nn/activation.h"
#include "engine/nn/conv.h"
#include "engine/nn/linear.h"
#include "engine/nn/norm.h"
#include "engine/nn/sequential.h"
#include "engine/ops/attention.h"
#include "models/model.h"

namespace strata {

struct ConformerOptions {
  int64_t mels = 80;     // features a frame
  int64_t classes = 29;  // the blank included
  int64_t width = 144, heads = 4, blocks = 16;
  int64_t kernel = 32;  // of the depthwise convolution; an even one sees one step more ahead
  bool pooled = false;
  double dropout = 0.1;
};

ConformerOptions conformer_s();
ConformerOptions conformer_m();
ConformerOptions conformer_l();

int64_t conformer_parameter_count(const ConformerOptions& options);
// Steps that are left of so many frames.
int64_t conformer_steps(int64_t frames);

// x [N, T, mels] -> [N, T/4, width].
class ConvSubsampling : public Layer {
 public:
  ConvSubsampling(int64_t mels, int64_t width);
  std::string kind() const override { return "ConvSubsampling"; }
  Tensor forward(const Tensor& x) override;

 private:
  Conv2d &conv1_, &conv2_;
  Linear& projection_;
};

// Norm, expand, swish, contract. x [N, T, C] -> [N, T, C].
class FeedForwardModule : public Layer {
 public:
  FeedForwardModule(int64_t width, double dropout);
  std::string kind() const override { return "FeedForwardModule"; }
  Tensor forward(const Tensor& x) override;

 private:
  LayerNorm& norm_;
  Linear &expand_, &contract_;
  Dropout& dropout_;
};

// Norm, then self-attention that sees how far apart steps are. Activations besides its layers':
// "queries", "keys", "values" [N, T, heads, D], and for an observer that lists it "pattern" [N,
// heads, T, T].
class RelativeAttention : public Layer {
 public:
  RelativeAttention(int64_t width, int64_t heads, double dropout);
  std::string kind() const override;
  Tensor forward(const Tensor& x) override;

 private:
  int64_t heads_;
  LayerNorm& norm_;
  Linear &qkv_, &position_, &projection_;
  Tensor content_bias_, position_bias_;  // u and v of the paper, [heads, D]
  Dropout& dropout_;
};

// Norm, GLU, depthwise convolution, batch norm, swish, product.
class ConvolutionModule : public Layer {
 public:
  ConvolutionModule(int64_t width, int64_t kernel, double dropout);
  std::string kind() const override { return "ConvolutionModule"; }
  Tensor forward(const Tensor& x) override;

 private:
  LayerNorm& norm_;
  Linear& expand_;
  Conv1d& depthwise_;
  BatchNorm& batch_norm_;
  Linear& contract_;
  Dropout& dropout_;
};

class ConformerBlock : public Layer {
 public:
  explicit ConformerBlock(const ConformerOptions& options);
  std::string kind() const override { return "ConformerBlock"; }
  Tensor forward(const Tensor& x) override;

 private:
  FeedForwardModule& first_;
  RelativeAttention& attention_;
  ConvolutionModule& convolution_;
  FeedForwardModule& second_;
  LayerNorm& norm_;
};

// x [N, T, mels] -> logits [N, T/4, classes], or [N, classes] when pooled.
class Conformer : public Model {
 public:
  explicit Conformer(const ConformerOptions& options = {});
  std::string kind() const override;
  Tensor forward(const Tensor& x) override;
  // subsampling, blocks.0, ..., head.
  std::vector<std::string> stages() const override;
  const ConformerOptions& options() const { return options_; }

 private:
  ConformerOptions options_;
  ConvSubsampling& subsampling_;
  Dropout& dropout_;
  Sequential& blocks_;
  Linear& head_;
};

// For scores [N, heads, T, 2 T - 1] whose last axis counts distances i - j from T - 1 down to
// 1 - T: [N, heads, T, T], what stands at distance i - j in row i and column j. A view and a pad.
Tensor relative_shift(const Tensor& scores);

}  // namespace strata
