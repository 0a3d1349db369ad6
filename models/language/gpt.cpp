#include "models/language/gpt.h"

#include <cmath>

#include "engine/nn/init.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/product.h"
#include "engine/ops/view.h"

namespace strata {

int64_t gpt_parameter_count(const GptOptions& options) {
  int64_t c = options.width;
  return (options.vocabulary + options.context) * c + options.layers * (12 * c * c + 13 * c) +
         2 * c;
}

GptBlock::GptBlock(const GptOptions& options)
    : norm1_(add<LayerNorm>("norm1", options.width)),
      attention_(add<MultiheadAttention>("attention", options.width, options.heads,
                                         AttentionOptions{.causal = true})),
      norm2_(add<LayerNorm>("norm2", options.width)),
      mlp_(add<Sequential>("mlp")),
      dropout_(add<Dropout>("dropout", options.dropout)) {
  mlp_.push<Linear>("expand", options.width, 4 * options.width);
  mlp_.push<GELU>("gelu", true);
  mlp_.push<Linear>("contract", 4 * options.width, options.width);
}

Tensor GptBlock::forward(const Tensor& x) {
  Tensor attended = named("middle", x + dropout_(attention_(norm1_(x))));
  return attended + dropout_(mlp_(norm2_(attended)));
}

Gpt::Gpt(const GptOptions& options)
    : options_(options),
      token_(add<Embedding>("token", options.vocabulary, options.width)),
      position_(add_parameter("position", empty({options.context, options.width}))),
      dropout_(add<Dropout>("dropout", options.dropout)),
      blocks_(add<Sequential>("blocks")),
      norm_(add<LayerNorm>("norm", options.width)) {
  for (int64_t i = 0; i < options.layers; ++i) blocks_.push<GptBlock>(options);
  // GPT-2's: deviation 0.02, less for what is added to the residual stream 2 L times.
  double residual = 0.02 / std::sqrt(2.0 * static_cast<double>(options.layers));
  for (auto& [name, tensor] : named_parameters()) {
    bool added = name.ends_with("projection.weight") || name.ends_with("contract.weight");
    if (tensor.rank() == 2) init::normal_(tensor, 0, added ? residual : 0.02);
    if (name.ends_with("bias")) init::zeros_(tensor);
  }
}

Tensor Gpt::forward(const Tensor& index) {
  if (index.rank() != 2 || index.size(1) > options_.context) {
    fail("Gpt", Caller{}, "takes tokens [N, T] with T up to its context {}; got {}",
         options_.context, describe(index));
  }
  Tensor x = token_(index) + position_.slice(0, 0, index.size(1));
  x = named("embedding", dropout_(x));
  return named("head", linear(norm_(blocks_(x)), token_.weight));
}

std::vector<std::string> Gpt::stages() const {
  std::vector<std::string> names = {"embedding"};
  for (int64_t i = 0; i < options_.layers; ++i) names.push_back(fmt::format("blocks.{}", i));
  names.insert(names.end(), {"norm", "head"});
  return names;
}

}  // namespace strata
