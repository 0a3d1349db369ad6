#include "models/multimodal/clip.h"

#include <cmath>

#include "engine/nn/init.h"
#include "engine/ops/create.h"
#include "engine/ops/index.h"
#include "engine/ops/loss.h"
#include "engine/ops/product.h"
#include "engine/ops/reduce.h"
#include "engine/ops/view.h"

namespace strata {

ClipOptions clip_vit_b32() { return {}; }

ClipOptions clip_rn50() { return {.embedding = 1024, .image = ClipResNetOptions{}}; }

ClipOptions clip_s() {
  return {.image_size = 32,
          .embedding = 64,
          .image = ClipResNetOptions{.blocks = {1, 1, 1},
                                     .width = 12,
                                     .heads = 4,
                                     .stem_stride = 2,
                                     .start_as_shortcut = false},
          .text = {.vocabulary = 128,
                   .context = 32,
                   .width = 32,
                   .layers = 2,
                   .heads = 4,
                   .start_as_mean = true}};
}

int64_t clip_parameter_count(const ClipOptions& o) {
  const ClipTextOptions& t = o.text;
  const int64_t text = (t.vocabulary + t.context + 2 + o.embedding) * t.width +
                       t.layers * clip_block_parameter_count(t.width);
  if (auto* vit = std::get_if<ClipVitOptions>(&o.image))
    return text + clip_vit_parameter_count(*vit, o.channels, o.image_size, o.embedding) + 1;
  return text + 1 +
         clip_resnet_parameter_count(std::get<ClipResNetOptions>(o.image), o.channels, o.image_size,
                                     o.embedding);
}

ClipText::ClipText(const ClipTextOptions& options, int64_t embedding)
    : options_(options),
      token_(add<Embedding>("token", options.vocabulary, options.width)),
      position_(add_parameter("position", empty({options.context, options.width}))),
      blocks_(add<Sequential>("blocks")),
      norm_(add<LayerNorm>("norm", options.width)),
      projection_(add<Linear>("projection", options.width, embedding, false)) {
  for (int64_t i = 0; i < options.layers; ++i) {
    auto& block = blocks_.push<ClipBlock>(options.width, options.heads, options.layers, true);
    if (options.start_as_mean) block.start_plain(i == 0);
  }
  // Larger than positions, where these are not to tell apart what the same words say.
  init::normal_(token_.weight, 0, options.start_as_mean ? 0.1 : 0.02);
  init::normal_(position_, 0, 0.01);
  init::normal_(projection_.weight, 0, 1 / std::sqrt(static_cast<double>(options.width)));
}

Tensor ClipText::forward(const Tensor& tokens) {
  if (tokens.rank() != 2 || tokens.size(1) > options_.context) {
    fail("ClipText", Caller{}, "takes tokens [N, T] with T up to its context {}; got {}",
         options_.context, describe(tokens));
  }
  Tensor x = named("embedding", token_(tokens) + position_.slice(0, 0, tokens.size(1)));
  x = norm_(blocks_(x));
  Tensor end = argmax(tokens, 1).reshape({tokens.size(0), 1, 1});
  return projection_(gather(x, 1, end.expand({x.size(0), 1, x.size(2)})).squeeze(1));
}

Clip::Clip(const ClipOptions& options)
    : options_(options),
      logit_scale_(add_parameter("logit_scale", scalar(std::log(1 / 0.07)))),
      image_([&]() -> Layer& {
        if (auto* vit = std::get_if<ClipVitOptions>(&options.image))
          return add<ClipVit>("image", *vit, options.channels, options.image_size,
                              options.embedding);
        return add<ClipResNet>("image", std::get<ClipResNetOptions>(options.image),
                               options.channels, options.image_size, options.embedding);
      }()),
      text_(add<ClipText>("text", options.text, options.embedding)) {}

Tensor unit_rows(const Tensor& embeddings) {
  return embeddings / clamp(norm(embeddings, {-1}, true), 1e-8, INFINITY);
}

Tensor Clip::scale() const { return exp(clamp(logit_scale_, -INFINITY, std::log(100.0))); }

Tensor Clip::logits(const Tensor& image_embeddings, const Tensor& text_embeddings) const {
  return matmul(unit_rows(image_embeddings), unit_rows(text_embeddings).transpose(0, 1)) * scale();
}

Tensor Clip::loss(const Tensor& images, const Tensor& tokens) {
  if (images.size(0) != tokens.size(0)) {
    fail("Clip", Caller{}, "each image needs its caption; got images {} and tokens {}",
         describe(images), describe(tokens));
  }
  Tensor all = logits((*this)(images), encode_text(tokens));
  Tensor pairs = arange(0, static_cast<double>(all.size(0))).to(all.device());
  return (cross_entropy(all, pairs) + cross_entropy(all.transpose(0, 1), pairs)) * 0.5;
}

std::vector<std::string> Clip::stages() const {
  std::vector<std::string> names;
  if (auto* vit = std::get_if<ClipVitOptions>(&options_.image)) {
    names = {"image.embedding"};
    for (int64_t i = 0; i < vit->layers; ++i) names.push_back(fmt::format("image.blocks.{}", i));
  } else {
    names = {"image.stem"};
    for (size_t i = 0; i < std::get<ClipResNetOptions>(options_.image).blocks.size(); ++i)
      names.push_back(fmt::format("image.layer{}", i + 1));
  }
  names.push_back("image");
  return names;
}

}  // namespace strata
