#include "models/multimodal/clip_image.h"

#include <cmath>

#include "engine/nn/init.h"
#include "engine/ops/create.h"
#include "engine/ops/join.h"
#include "engine/ops/pool.h"
#include "engine/ops/product.h"
#include "engine/ops/reduce.h"
#include "engine/ops/view.h"

namespace strata {
namespace {

ConvNormOptions conv_norm(int64_t kernel, int64_t stride, bool relu) {
  return {.conv = {.stride = stride, .padding = kernel / 2}, .relu = relu};
}

// How much smaller the map is that the pool sees.
int64_t reduction(const ClipResNetOptions& options) {
  return options.stem_stride * 2 << (options.blocks.size() - 1);
}

int64_t conv_norm_count(int64_t inputs, int64_t outputs, int64_t kernel) {
  return inputs * outputs * kernel * kernel + 2 * outputs;
}

}  // namespace

int64_t clip_block_parameter_count(int64_t width) { return 12 * width * width + 13 * width; }

int64_t clip_vit_parameter_count(const ClipVitOptions& options, int64_t channels,
                                 int64_t image_size, int64_t embedding) {
  const int64_t c = options.width, side = image_size / options.patch;
  return channels * options.patch * options.patch * c + c + (1 + side * side) * c + 4 * c +
         options.layers * clip_block_parameter_count(c) + c * embedding;
}

int64_t clip_resnet_parameter_count(const ClipResNetOptions& options, int64_t channels,
                                    int64_t image_size, int64_t embedding) {
  const int64_t half = options.width / 2, side = image_size / reduction(options);
  int64_t count = conv_norm_count(channels, half, 3) + conv_norm_count(half, half, 3) +
                  conv_norm_count(half, options.width, 3);
  int64_t inputs = options.width, width = options.width;
  for (int64_t blocks : options.blocks) {
    for (int64_t i = 0; i < blocks; ++i, inputs = 4 * width) {
      count += conv_norm_count(inputs, width, 1) + conv_norm_count(width, width, 3) +
               conv_norm_count(width, 4 * width, 1);
      if (i == 0) count += conv_norm_count(inputs, 4 * width, 1);
    }
    width *= 2;
  }
  return count + (1 + side * side) * inputs + 3 * inputs * (inputs + 1) + (inputs + 1) * embedding;
}

ClipBlock::ClipBlock(int64_t width, int64_t heads, int64_t layers, bool causal)
    : norm1_(add<LayerNorm>("norm1", width)),
      attention_(
          add<MultiheadAttention>("attention", width, heads, AttentionOptions{.causal = causal})),
      norm2_(add<LayerNorm>("norm2", width)),
      mlp_(add<Sequential>("mlp")) {
  Linear& expand = mlp_.push<Linear>("expand", width, 4 * width);
  mlp_.push<QuickGELU>("gelu");
  contract_ = &mlp_.push<Linear>("contract", 4 * width, width);
  const double deviation = 1 / std::sqrt(static_cast<double>(width));
  const double residual = deviation / std::sqrt(2.0 * static_cast<double>(layers));
  init::normal_(attention_.qkv.weight, 0, deviation);
  init::normal_(attention_.projection.weight, 0, residual);
  init::normal_(expand.weight, 0, deviation / std::sqrt(2.0));
  init::normal_(contract_->weight, 0, residual);
}

void ClipBlock::start_plain(bool mean) {
  const Tensor& qkv = attention_.qkv.weight;
  init::zeros_(mean ? qkv.slice(0, 0, qkv.size(1)) : attention_.projection.weight);
  init::zeros_(contract_->weight);
}

Tensor ClipBlock::forward(const Tensor& x) {
  Tensor attended = named("middle", x + attention_(norm1_(x)));
  return attended + mlp_(norm2_(attended));
}

ClipVit::ClipVit(const ClipVitOptions& options, int64_t channels, int64_t image_size,
                 int64_t embedding)
    : options_(options),
      class_token_(add_parameter("class_token", empty({options.width}))),
      position_(add_parameter(
          "position",
          empty({1 + (image_size / options.patch) * (image_size / options.patch), options.width}))),
      patch_(add<Conv2d>("patch", channels, options.width, options.patch,
                         Conv2dOptions{.stride = options.patch}, false)),
      norm_in_(add<LayerNorm>("norm_in", options.width)),
      blocks_(add<Sequential>("blocks")),
      norm_out_(add<LayerNorm>("norm_out", options.width)),
      projection_(add<Linear>("projection", options.width, embedding, false)) {
  if (image_size % options.patch != 0) {
    fail("ClipVit", Caller{}, "images of side {} do not divide into patches of {}", image_size,
         options.patch);
  }
  for (int64_t i = 0; i < options.layers; ++i)
    blocks_.push<ClipBlock>(options.width, options.heads, options.layers, false);
  const double deviation = 1 / std::sqrt(static_cast<double>(options.width));
  for (const Tensor& tensor : {class_token_, position_, projection_.weight})
    init::normal_(tensor, 0, deviation);
}

std::string ClipVit::kind() const { return fmt::format("ClipVit(patch {})", options_.patch); }

Tensor ClipVit::forward(const Tensor& x) {
  Tensor patches = patch_(x).flatten(1, 2);
  if (patches.size(1) + 1 != position_.size(0)) {
    fail("ClipVit", Caller{}, "got images {}, which are {} patches; the positions are those of {}",
         describe(x), patches.size(1), position_.size(0) - 1);
  }
  Tensor first =
      class_token_.reshape({1, 1, options_.width}).expand({patches.size(0), 1, options_.width});
  Tensor tokens = named("embedding", concatenate({first, patches}, 1) + position_);
  return projection_(norm_out_(blocks_(norm_in_(tokens)).select(1, 0)));
}

ClipBottleneck::ClipBottleneck(int64_t inputs, int64_t width, int64_t stride,
                               bool start_as_shortcut)
    : stride_(stride),
      conv1_(add<ConvNorm>("conv1", inputs, width, 1, conv_norm(1, 1, true))),
      conv2_(add<ConvNorm>("conv2", width, width, 3, conv_norm(3, 1, true))),
      conv3_(add<ConvNorm>("conv3", width, 4 * width, 1, conv_norm(1, 1, true))) {
  if (stride > 1 || inputs != 4 * width)
    shortcut_ = &add<ConvNorm>("shortcut", inputs, 4 * width, 1, conv_norm(1, 1, false));
  if (start_as_shortcut) init::zeros_(conv3_.norm.weight);
}

Tensor ClipBottleneck::shrink(const Tensor& x) const {
  return stride_ > 1 ? avg_pool2d(x, {.window = stride_}) : x;
}

Tensor ClipBottleneck::forward(const Tensor& x) {
  Tensor residual = shortcut_ ? (*shortcut_)(shrink(x)) : x;
  return conv3_(shrink(conv2_(conv1_(x))), residual);
}

AttentionPool::AttentionPool(int64_t side, int64_t width, int64_t heads, int64_t outputs)
    : heads_(heads),
      position_(add_parameter("position", empty({1 + side * side, width}))),
      key_(add<Linear>("key", width, width)),
      query_(add<Linear>("query", width, width)),
      value_(add<Linear>("value", width, width)),
      projection_(add<Linear>("projection", width, outputs)) {
  if (heads < 1 || width % heads != 0)
    fail("AttentionPool", Caller{}, "width {} does not divide into {} heads", width, heads);
  for (const Tensor& tensor :
       {position_, key_.weight, query_.weight, value_.weight, projection_.weight})
    init::normal_(tensor, 0, 1 / std::sqrt(static_cast<double>(width)));
}

Tensor AttentionPool::forward(const Tensor& x) {
  Tensor positions = x.flatten(1, 2);
  if (positions.size(1) + 1 != position_.size(0)) {
    fail("AttentionPool", Caller{}, "got a map {} of {} positions; it was made for {}", describe(x),
         positions.size(1), position_.size(0) - 1);
  }
  Tensor tokens = concatenate({mean(positions, {1}, true), positions}, 1) + position_;
  tokens = named("tokens", tokens);
  auto by_head = [&](const Tensor& rows) {
    return rows.reshape({rows.size(0), rows.size(1), heads_, rows.size(2) / heads_});
  };
  Tensor query = by_head(query_(tokens.slice(1, 0, 1)));
  Tensor mixed =
      scaled_dot_product_attention(query, by_head(key_(tokens)), by_head(value_(tokens)));
  return projection_(mixed.flatten(1));
}

ClipResNet::ClipResNet(const ClipResNetOptions& options, int64_t channels, int64_t image_size,
                       int64_t embedding)
    : options_(options),
      conv1_(add<ConvNorm>("conv1", channels, options.width / 2, 3,
                           conv_norm(3, options.stem_stride, true))),
      conv2_(
          add<ConvNorm>("conv2", options.width / 2, options.width / 2, 3, conv_norm(3, 1, true))),
      conv3_(add<ConvNorm>("conv3", options.width / 2, options.width, 3, conv_norm(3, 1, true))) {
  if (options.blocks.empty() || image_size % reduction(options) != 0) {
    fail("ClipResNet", Caller{}, "images of side {} do not divide by {}, the product of strides",
         image_size, options.blocks.empty() ? 0 : reduction(options));
  }
  int64_t inputs = options.width, width = options.width;
  for (size_t stage = 0; stage < options.blocks.size(); ++stage, width *= 2) {
    layers_.push_back(&add<Sequential>(fmt::format("layer{}", stage + 1)));
    for (int64_t i = 0; i < options.blocks[stage]; ++i, inputs = 4 * width)
      layers_.back()->push<ClipBottleneck>(inputs, width, i == 0 && stage > 0 ? 2 : 1,
                                           options.start_as_shortcut);
  }
  pool_ = &add<AttentionPool>("pool", image_size / reduction(options), inputs, options.heads,
                              embedding);
}

std::string ClipResNet::kind() const { return fmt::format("ClipResNet(width {})", options_.width); }

Tensor ClipResNet::forward(const Tensor& x) {
  Tensor out = named("stem", avg_pool2d(conv3_(conv2_(conv1_(x)))));
  for (Sequential* layer : layers_) out = (*layer)(out);
  return (*pool_)(out);
}

}  // namespace strata
