#include "models/language/gpt.h"

#include <cmath>

#include "engine/nn/init.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/product.h"
#include "engine/ops/view.h"

namespace strata {

GptOptions gpt2_options(const std::string& name, Caller at) {
  struct Size {
    const char* name;
    int64_t layers, width, heads;
  };
  constexpr Size sizes[] = {{"gpt2", 12, 768, 12},
                            {"gpt2-medium", 24, 1024, 16},
                            {"gpt2-large", 36, 1280, 20},
                            {"gpt2-xl", 48, 1600, 25}};
  for (const Size& s : sizes) {
    if (name != s.name) continue;
    return {.vocabulary = 50257,
            .context = 1024,
            .width = s.width,
            .heads = s.heads,
            .layers = s.layers};
  }
  fail("gpt2_options", at,
       "there is no GPT-2 '{}'; there are gpt2, gpt2-medium, gpt2-large and gpt2-xl", name);
}

GptOptions gpt_nano_options() { return {.width = 48, .heads = 3, .layers = 3}; }

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

Tensor GptBlock::transform(const Tensor& x, KeyValueCache* cache) {
  Tensor read = norm1_(x);
  Tensor mixed = cache ? attention_(read, *cache) : attention_(read);
  Tensor attended = named("middle", x + dropout_(mixed));
  return attended + dropout_(mlp_(norm2_(attended)));
}

Tensor GptBlock::forward(const Tensor& x) { return transform(x, nullptr); }

Tensor GptBlock::operator()(const Tensor& x, KeyValueCache& cache) {
  return run(x, [&] { return transform(x, &cache); });
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

Tensor Gpt::embed(const Tensor& index, int64_t first) {
  if (index.rank() != 2 || first + index.size(1) > options_.context) {
    fail("Gpt", Caller{}, "takes tokens [N, T] with T up to its context {}; got {}{}",
         options_.context, describe(index),
         first > 0 ? fmt::format(" after {} in the cache", first) : "");
  }
  Tensor x = token_(index) + position_.slice(0, first, first + index.size(1));
  return named("embedding", dropout_(x));
}

Tensor Gpt::forward(const Tensor& index) {
  return named("head", linear(norm_(blocks_(embed(index, 0))), token_.weight));
}

GptCache Gpt::cache() const {
  return {std::vector<KeyValueCache>(static_cast<size_t>(options_.layers),
                                     KeyValueCache{.capacity = options_.context})};
}

Tensor Gpt::next(const Tensor& index, GptCache& cache) {
  if (cache.blocks.size() != blocks_.size()) {
    fail("Gpt", Caller{}, "has {} blocks; the cache is one of {}, made by another model",
         blocks_.size(), cache.blocks.size());
  }
  return run(index, [&] {
    Tensor x = embed(index, cache.length());
    if (index.size(1) == 0) fail("Gpt", Caller{}, "needs a token to go on from; got none");
    for (size_t i = 0; i < blocks_.size(); ++i)
      x = static_cast<GptBlock&>(blocks_[i])(x, cache.blocks[i]);
    // Only the last position is asked for; a head of 50,257 tokens costs as much as 5 blocks.
    return named("head", linear(norm_(x.select(1, -1)), token_.weight));
  });
}

std::vector<std::string> Gpt::stages() const {
  std::vector<std::string> names = {"embedding"};
  for (int64_t i = 0; i < options_.layers; ++i) names.push_back(fmt::format("blocks.{}", i));
  names.insert(names.end(), {"norm", "head"});
  return names;
}

}  // namespace strata
