// The image towers of CLIP (models/multimodal/clip.h): each turns images into embeddings of E
// numbers.
//
// ClipVit: a vision transformer (Dosovitskiy et al. 2021) with a norm before its blocks as well;
// the embedding is read from the class token.
//
//   layer        result (ViT-B/32)    parameters      multiply-adds
//   patch        [N, 49, 768]          2,359,296        115,605,504
//   embedding    [N, 50, 768]             39,168                     class token in front,
//   positions norm_in      [N, 50, 768]              1,536 blocks.0-11  [N, 50, 768] 85,054,464
//   4,292,812,800  (12 C^2 T + 2 C T^2 each) norm_out     [N, 768]                  1,536 of the
//   class token projection   [N, 512]                393,216            393,216 sum 87,849,216
//   4,408,811,520
//
// ClipResNet: ResNet-D (He et al. 2019) whose strides are average pools in front of convolutions of
// stride 1 (Zhang 2019), so that nothing is sampled below its Nyquist rate, and whose last pool is
// one step of attention, with the mean as the query.
//
//   layer          result (RN50)        parameters
//   conv1-conv3    [N, 112, 112, 64]        28,768    3x3, the first with the stem's stride
//   stem           [N, 56, 56, 64]                    average pool of 2
//   layer1         [N, 56, 56, 256]        215,808    3 bottlenecks
//   layer2         [N, 28, 28, 512]      1,219,584    4
//   layer3         [N, 14, 14, 1024]     7,098,368    6
//   layer4         [N, 7, 7, 2048]      14,964,736    3
//   pool           [N, 1024]            14,789,632    positions, query, key, value, projection
//   sum                                 38,316,896
//
// Both are laid out as OpenAI's, parameter for parameter.
#pragma once

#include "engine/nn/activation.h"
#include "engine/nn/attention.h"
#include "engine/nn/conv_norm.h"
#include "engine/nn/linear.h"
#include "engine/nn/sequential.h"

namespace strata {

struct ClipVitOptions {
  int64_t patch = 32;
  int64_t width = 768;
  int64_t layers = 12;
  int64_t heads = 12;
};
struct ClipResNetOptions {
  std::vector<int64_t> blocks = {3, 4, 6, 3};
  int64_t width = 64;       // of the stem; stage i has 4 width 2^i channels
  int64_t heads = 32;       // of the pool
  int64_t stem_stride = 2;  // 1 for small images
  // Whether a block starts as its shortcut, with zeros for the scale of its last norm, as the deep
  // ones were trained; in a short training of a shallow one the branches then come late.
  bool start_as_shortcut = true;
};

// Parameters of the towers, without making them.
int64_t clip_vit_parameter_count(const ClipVitOptions& options, int64_t channels,
                                 int64_t image_size, int64_t embedding);
int64_t clip_resnet_parameter_count(const ClipResNetOptions& options, int64_t channels,
                                    int64_t image_size, int64_t embedding);
// Of one transformer block, 12 C^2 + 13 C.
int64_t clip_block_parameter_count(int64_t width);

// x sigmoid(1.702 x), the fast stand-in for GELU that CLIP was trained with.
struct QuickGELU : Layer {
  std::string kind() const override { return "QuickGELU"; }
  Tensor forward(const Tensor& x) override { return x * sigmoid(x * 1.702); }
};

// x + attention(norm1(x)), then x + mlp(norm2(x)): [N, T, width] -> the same. Shows "middle", the
// stream between the two. Starts as OpenAI's, by the number of `layers` it is one of.
class ClipBlock : public Layer {
 public:
  ClipBlock(int64_t width, int64_t heads, int64_t layers, bool causal);
  std::string kind() const override { return "ClipBlock"; }
  Tensor forward(const Tensor& x) override;
  // Leaves the identity, by zeros at the end of both branches; or, with `mean`, attention that is
  // the mean over the positions that may be seen, by queries of zero.
  void start_plain(bool mean);

 private:
  LayerNorm& norm1_;
  MultiheadAttention& attention_;
  LayerNorm& norm2_;
  Sequential& mlp_;  // expand, gelu, contract
  Linear* contract_ = nullptr;
};

// x [N, image_size, image_size, channels] -> [N, embedding].
class ClipVit : public Layer {
 public:
  ClipVit(const ClipVitOptions& options, int64_t channels, int64_t image_size, int64_t embedding);
  std::string kind() const override;
  Tensor forward(const Tensor& x) override;

 private:
  ClipVitOptions options_;
  Tensor class_token_, position_;  // [width], [1 + patches, width]
  Conv2d& patch_;
  LayerNorm& norm_in_;
  Sequential& blocks_;
  LayerNorm& norm_out_;
  Linear& projection_;
};

// 1x1, 3x3, (average pool,) 1x1 around a shortcut, [N, H, W, inputs] -> [N, H / stride, W / stride,
// 4 width].
class ClipBottleneck : public Layer {
 public:
  ClipBottleneck(int64_t inputs, int64_t width, int64_t stride, bool start_as_shortcut);
  std::string kind() const override { return "ClipBottleneck"; }
  Tensor forward(const Tensor& x) override;

 private:
  Tensor shrink(const Tensor& x) const;

  int64_t stride_;
  ConvNorm &conv1_, &conv2_, &conv3_;
  ConvNorm* shortcut_ = nullptr;  // where the shape changes
};

// [N, H, W, C] -> [N, outputs]: the mean over the image asks, its positions answer. Shows "tokens"
// [N, 1 + H W, C], the mean first.
class AttentionPool : public Layer {
 public:
  AttentionPool(int64_t side, int64_t width, int64_t heads, int64_t outputs);
  std::string kind() const override { return fmt::format("AttentionPool({} heads)", heads_); }
  Tensor forward(const Tensor& x) override;

 private:
  int64_t heads_;
  Tensor position_;  // [1 + side^2, width]
  Linear &key_, &query_, &value_, &projection_;
};

// x [N, image_size, image_size, channels] -> [N, embedding].
class ClipResNet : public Layer {
 public:
  ClipResNet(const ClipResNetOptions& options, int64_t channels, int64_t image_size,
             int64_t embedding);
  std::string kind() const override;
  Tensor forward(const Tensor& x) override;

 private:
  ClipResNetOptions options_;
  ConvNorm &conv1_, &conv2_, &conv3_;
  std::vector<Sequential*> layers_;
  AttentionPool* pool_;
};

}  // namespace strata
