// CLIP: an image tower and a text tower whose embeddings of a picture and of its caption agree, and
// disagree with those of the other pairs of the batch (Radford et al. 2021, "Learning transferable
// visual models from natural language supervision").
//   a = unit(image(x)),  b = unit(text(t)),  logits = s a b^T,  s = min(exp(logit_scale), 100)
//   loss = (cross_entropy(logits, diagonal) + cross_entropy(logits^T, diagonal)) / 2
// Classes that were never trained on are told apart by captions of theirs (zero shot): the class of
// an image is that of the text nearest to it.
//
//   layer              result         parameters (ViT-B/32)    multiply-adds a text
//   image              [N, E]                    87,849,216    (clip_image.h)
//   text.token         [N, T, C]                 25,296,896
//   text.position      [N, T, C]                     39,424
//   text.blocks.0-11   [N, T, C]                 37,828,608    L (12 C^2 T + 2 C T^2), causal
//   text.norm          [N, T, C]                      1,024
//   text.projection    [N, E]                       262,144    C E, of the end-of-text token
//   logit_scale        []                                 1
//
// ViT-B/32: 151,277,313 parameters; RN50: 102,007,137; CLIP-S, ours for 32x32 images (clip_s()):
// 228,815, and 1.9 M multiply-adds an image. Cost of a batch's loss besides the towers: N^2 E.
#pragma once

#include <variant>

#include "models/model.h"
#include "models/multimodal/clip_image.h"

namespace strata {

struct ClipTextOptions {
  int64_t vocabulary = 49408;
  int64_t context = 77;  // longest text
  int64_t width = 512;
  int64_t layers = 12;
  int64_t heads = 8;
  // Whether a text starts as the mean of its words, by a first layer that attends to all of them
  // alike and branches of zero elsewhere. Published ones start as random functions of their words,
  // which it takes many texts to get out of.
  bool start_as_mean = false;
};
struct ClipOptions {
  int64_t channels = 3;
  int64_t image_size = 224;
  int64_t embedding = 512;  // E
  std::variant<ClipVitOptions, ClipResNetOptions> image = ClipVitOptions{};
  ClipTextOptions text = {};
};
// The published ones, and ours for generated scenes (engine/data/captions.h).
ClipOptions clip_vit_b32();
ClipOptions clip_rn50();
ClipOptions clip_s();

// Parameters of a network with these options, without making it.
int64_t clip_parameter_count(const ClipOptions& options);

// tokens [N, T] (i64 or i32, T up to the context) -> [N, embedding]. A text ends with the token of
// the largest number in it; what follows is padding and is not seen.
class ClipText : public Layer {
 public:
  ClipText(const ClipTextOptions& options, int64_t embedding);
  std::string kind() const override { return "ClipText"; }
  Tensor forward(const Tensor& tokens) override;

 private:
  ClipTextOptions options_;
  Embedding& token_;
  Tensor position_;  // [context, width]
  Sequential& blocks_;
  LayerNorm& norm_;
  Linear& projection_;
};

class Clip : public Model {
 public:
  explicit Clip(const ClipOptions& options = clip_vit_b32());
  std::string kind() const override { return "Clip"; }

  // images [N, side, side, channels] -> embeddings [N, E], of any length, as encode_text's.
  Tensor forward(const Tensor& images) override { return image_(images); }
  Tensor encode_text(const Tensor& tokens) { return text_(tokens); }

  // Scaled cosines of each image [N, E] with each text [M, E]: [N, M].
  Tensor logits(const Tensor& image_embeddings, const Tensor& text_embeddings) const;
  // Of images and their captions, both N.
  Tensor loss(const Tensor& images, const Tensor& tokens);
  // Factor on the cosines, a scalar, 100 at most; starts at 1 / 0.07.
  Tensor scale() const;

  // Of the image tower: embedding, blocks; or stem, layer1, ...; then image.
  std::vector<std::string> stages() const override;

 private:
  ClipOptions options_;
  Tensor logit_scale_;  // []
  Layer& image_;
  ClipText& text_;
};

// Embeddings of unit length, [N, E] -> [N, E].
Tensor unit_rows(const Tensor& embeddings);

}  // namespace strata
