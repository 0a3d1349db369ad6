#include "models/vision/vit.h"

#include "engine/nn/init.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/join.h"
#include "engine/ops/view.h"

namespace strata {
namespace {

constexpr double epsilon = 1e-6;

int64_t patches(const VitOptions& o) {
  if (o.patch < 1 || o.height < o.patch || o.width < o.patch || o.height % o.patch != 0 ||
      o.width % o.patch != 0) {
    fail("Vit", Caller{}, "an image of {}x{} does not divide into patches of {}x{}", o.height,
         o.width, o.patch, o.patch);
  }
  return (o.height / o.patch) * (o.width / o.patch);
}

}  // namespace

Cost vit_cost(const VitOptions& o) {
  const int64_t c = o.embedding, tokens = patches(o) + 1;
  ImageCost cost(o.channels, o.height, o.width);
  cost.conv(c, o.patch, o.patch, 0, true);
  cost.parameters += c + tokens * c + o.layers * (12 * c * c + 13 * c) + 2 * c;
  cost.multiply_adds += o.layers * (12 * c * c * tokens + 2 * c * tokens * tokens);
  cost.resize(1, 1);
  cost.linear(o.classes);
  return cost;
}

VitBlock::VitBlock(const VitOptions& o)
    : norm1_(add<LayerNorm>("norm1", o.embedding, epsilon)),
      attention_(add<MultiheadAttention>("attention", o.embedding, o.heads)),
      norm2_(add<LayerNorm>("norm2", o.embedding, epsilon)),
      mlp_(add<Sequential>("mlp")),
      dropout_(add<Dropout>("dropout", o.dropout)) {
  mlp_.push<Linear>("expand", o.embedding, 4 * o.embedding);
  mlp_.push<GELU>("gelu");
  mlp_.push<Linear>("contract", 4 * o.embedding, o.embedding);
}

Tensor VitBlock::forward(const Tensor& x) {
  Tensor attended = named("middle", x + dropout_(attention_(norm1_(x))));
  return attended + dropout_(mlp_(norm2_(attended)));
}

Vit::Vit(const VitOptions& options)
    : options_(options),
      class_token_(add_parameter("class_token", empty({1, 1, options.embedding}))),
      position_(add_parameter("position", empty({1, patches(options) + 1, options.embedding}))),
      patch_(add<Conv2d>("patch", options.channels, options.embedding, options.patch,
                         Conv2dOptions{.stride = options.patch})),
      dropout_(add<Dropout>("dropout", options.dropout)),
      blocks_(add<Sequential>("blocks")),
      norm_(add<LayerNorm>("norm", options.embedding, epsilon)),
      head_(add<Linear>("head", options.embedding, options.classes)) {
  for (int64_t i = 0; i < options.layers; ++i) blocks_.push<VitBlock>(options);
  for (auto& [name, tensor] : named_parameters()) {
    if (tensor.rank() == 2 || tensor.rank() == 3) init::normal_(tensor, 0, 0.02);
    if (name.ends_with("bias") && !name.starts_with("patch")) init::zeros_(tensor);
  }
}

Tensor Vit::forward(const Tensor& x) {
  if (x.rank() != 4 || x.size(1) != options_.height || x.size(2) != options_.width) {
    fail("Vit", Caller{}, "takes images [N, {}, {}, {}], as it was made; got {}", options_.height,
         options_.width, options_.channels, describe(x));
  }
  Tensor tokens = patch_(x).flatten(1, 2);  // [N, h w, C]
  Tensor first = class_token_.expand({x.size(0), 1, options_.embedding});
  Tensor embedding = dropout_(concatenate({first, tokens}, 1) + position_);
  Tensor stream = norm_(blocks_(named("embedding", embedding)));
  return head_(stream.select(1, 0));
}

std::vector<std::string> Vit::stages() const {
  std::vector<std::string> names = {"patch"};
  for (int64_t i = 0; i < options_.layers; ++i) names.push_back(fmt::format("blocks.{}", i));
  names.insert(names.end(), {"norm", "head"});
  return names;
}

}  // namespace strata
