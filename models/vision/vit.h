// Vision transformer: Dosovitskiy et al. 2021, "An image is worth 16x16 words", in the sizes and
// with the initial weights of Touvron et al. 2021 (DeiT). An image is cut into patches, each a
// token; a class token stands in front; pre-norm transformer blocks follow, and a linear head reads
// the class token.
//   x = [class_token; patch(image)] + position
//   x = x + attention(norm1(x));  x = x + mlp(norm2(x));  logits = head(norm(x)[class token])
//
//   layer                 result        parameters           multiply-adds
//   patch                 [N, h, w, C]  3 P^2 C + C          3 P^2 C h w          P: patch size
//   class_token, position               C + T C                                   T = h w + 1
//   blocks.i.attention    [N, T, C]     4 C^2 + 4 C          4 C^2 T + 2 C T^2
//   blocks.i.middle       [N, T, C]     (the stream between attention and mlp)
//   blocks.i.mlp          [N, T, C]     8 C^2 + 5 C          8 C^2 T
//   blocks.i.norm1, norm2               4 C
//   norm                  [N, T, C]     2 C
//   head                  [N, classes]  C classes + classes  C classes
//
//   model      image  patch  width C  blocks  heads  classes  parameters  multiply-adds
//   vit_ti16     224     16      192      12      3     1000   5,717,416         1.25 G
//   vit_s16      224     16      384      12      6     1000  22,050,664         4.60 G
//   vit_b16      224     16      768      12     12     1000  86,567,656        17.56 G
//   vit_s32       32      4      128       6      4       10   1,205,898         0.084 G
//
// GELU is the exact one, epsilon of the norms 1e-6, and weights start normal with deviation 0.02,
// as in DeiT and timm (whose truncation, at 100 deviations, cuts nothing).
#pragma once

#include "engine/nn/activation.h"
#include "engine/nn/attention.h"
#include "engine/nn/conv.h"
#include "engine/nn/linear.h"
#include "engine/nn/norm.h"
#include "engine/nn/sequential.h"
#include "models/model.h"
#include "models/vision/cost.h"

namespace strata {

struct VitOptions {
  int64_t channels = 3;
  int64_t height = 224, width = 224;  // of the images; multiples of the patch
  int64_t classes = 1000;
  int64_t patch = 16;
  int64_t embedding = 192;  // C
  int64_t layers = 12;
  int64_t heads = 3;
  double dropout = 0;  // after the embedding, the attention and the mlp
};

Cost vit_cost(const VitOptions& options);

class VitBlock : public Layer {
 public:
  explicit VitBlock(const VitOptions& options);
  std::string kind() const override { return "VitBlock"; }
  Tensor forward(const Tensor& x) override;

 private:
  LayerNorm& norm1_;
  MultiheadAttention& attention_;
  LayerNorm& norm2_;
  Sequential& mlp_;  // expand, gelu, contract
  Dropout& dropout_;
};

// x [N, height, width, channels] -> logits [N, classes]. Besides its layers' it shows "embedding",
// the tokens [N, T, C] that the first block takes; token 0 is the class token, then patches row by
// row.
class Vit : public Model {
 public:
  explicit Vit(const VitOptions& options = {});
  std::string kind() const override { return "Vit"; }
  Tensor forward(const Tensor& x) override;
  // patch, blocks.0, ..., norm, head.
  std::vector<std::string> stages() const override;

 private:
  VitOptions options_;
  Tensor class_token_;  // [1, 1, C]
  Tensor position_;     // [1, T, C]
  Conv2d& patch_;
  Dropout& dropout_;
  Sequential& blocks_;
  LayerNorm& norm_;
  Linear& head_;
};

}  // namespace strata
