#include "models/language/bert.h"

#include <algorithm>
#include <cmath>

#include "engine/nn/init.h"
#include "engine/ops/create.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/product.h"
#include "engine/ops/reduce.h"
#include "engine/ops/view.h"

namespace strata {
namespace {

constexpr double epsilon = 1e-12;  // of the published networks' norms

}  // namespace

BertOptions bert_options(const std::string& name, Caller at) {
  BertOptions options{.vocabulary = 30522, .context = 512, .dropout = 0.1};
  if (name == "bert-base") {
    options.width = 768, options.heads = 12, options.layers = 12;
  } else if (name == "bert-large") {
    options.width = 1024, options.heads = 16, options.layers = 24;
  } else {
    fail("bert_options", at, "there is no BERT '{}'; there are bert-base and bert-large", name);
  }
  return options;
}

int64_t bert_encoder_parameter_count(const BertOptions& o) {
  const int64_t c = o.width;
  return (o.vocabulary + o.context + o.types) * c + 2 * c + o.layers * (12 * c * c + 13 * c);
}
int64_t bert_pooler_parameter_count(const BertOptions& o) { return o.width * (o.width + 1); }
int64_t bert_masked_head_parameter_count(const BertOptions& o) {
  return o.width * (o.width + 3) + o.vocabulary;
}

BertBlock::BertBlock(const BertOptions& o)
    : attention_(add<MultiheadAttention>("attention", o.width, o.heads)),
      norm1_(add<LayerNorm>("norm1", o.width, epsilon)),
      mlp_(add<Sequential>("mlp")),
      norm2_(add<LayerNorm>("norm2", o.width, epsilon)),
      dropout_(add<Dropout>("dropout", o.dropout)) {
  mlp_.push<Linear>("expand", o.width, 4 * o.width);
  mlp_.push<GELU>("gelu");
  mlp_.push<Linear>("contract", 4 * o.width, o.width);
}

Tensor BertBlock::transform(const Tensor& x, const Tensor& mask) {
  Tensor attended = named("middle", norm1_(x + dropout_(attention_(x, mask))));
  return norm2_(attended + dropout_(mlp_(attended)));
}

Tensor BertBlock::operator()(const Tensor& x, const Tensor& mask) {
  return run(x, [&] { return transform(x, mask); });
}

BertEncoder::BertEncoder(const BertOptions& o)
    : options_(o),
      token_(add<Embedding>("token", o.vocabulary, o.width)),
      position_(add<Embedding>("position", o.context, o.width)),
      type_(add<Embedding>("type", o.types, o.width)),
      norm_(add<LayerNorm>("norm", o.width, epsilon)),
      dropout_(add<Dropout>("dropout", o.dropout)),
      blocks_(add<Sequential>("blocks")) {
  for (int64_t i = 0; i < o.layers; ++i) blocks_.push<BertBlock>(o);
}

Tensor BertEncoder::operator()(const Tensor& index, const Tensor& types, const Tensor& seen) {
  return run(index, [&] { return encode(index, types, seen); });
}

Tensor BertEncoder::encode(const Tensor& index, const Tensor& types, const Tensor& seen) {
  if (index.rank() != 2 || index.size(1) > options_.context) {
    fail("Bert", Caller{}, "takes tokens [N, T] with T up to its context {}; got {}",
         options_.context, describe(index));
  }
  for (auto& [name, given] : {std::pair("types", &types), std::pair("seen", &seen)}) {
    if (given->defined() && given->shape() != index.shape()) {
      fail("Bert", Caller{}, "{} {} must have the shape of the tokens, {}", name, describe(*given),
           describe(index));
    }
  }
  Tensor mask = seen;
  if (!mask.defined() && options_.padding >= 0) {
    const Tensor padding =
        scalar(static_cast<double>(options_.padding), index.dtype()).to(index.device());
    mask = not_equal(index, padding);
  }
  if (mask.defined()) mask = mask.unsqueeze(1).unsqueeze(1);  // [N, heads, T, S]
  Tensor x = token_(index) + position_.weight.slice(0, 0, index.size(1)) +
             (types.defined() ? type_(types) : type_.weight.select(0, 0));
  x = named("embedding", dropout_(norm_(x)));
  for (size_t i = 0; i < blocks_.size(); ++i) x = static_cast<BertBlock&>(blocks_[i])(x, mask);
  return x;
}

std::vector<std::string> BertEncoder::stages() const {
  std::vector<std::string> names = {"embedding"};
  for (int64_t i = 0; i < options_.layers; ++i) names.push_back(fmt::format("blocks.{}", i));
  return names;
}

std::vector<std::string> BertModel::stages() const {
  std::vector<std::string> names;
  for (const std::string& name : encoder_.stages()) names.push_back("encoder." + name);
  for (const std::string& name : inner_stages()) names.push_back(name);
  names.push_back("head");
  return names;
}

void BertModel::initialise() {
  constexpr double published = 0.02, published_width = 768;
  const double narrower =
      std::max(1.0, published_width / static_cast<double>(encoder_.options().width));
  for (auto& [name, tensor] : named_parameters()) {
    if (tensor.rank() == 2) init::normal_(tensor, 0, published * std::sqrt(narrower));
    if (name.ends_with("bias")) init::zeros_(tensor);
  }
}

BertMaskedHead::BertMaskedHead(const Tensor& token)
    : token_(token),
      bias_(add_parameter("bias", empty({token.size(0)}))),
      transform_(add<Linear>("transform", token.size(1), token.size(1))),
      norm_(add<LayerNorm>("norm", token.size(1), epsilon)) {}

Tensor BertMaskedHead::forward(const Tensor& states) {
  return linear(norm_(gelu(transform_(states))), token_, bias_);
}

BertMaskedLm::BertMaskedLm(const BertOptions& options)
    : BertModel(options), head_(add<BertMaskedHead>("head", encoder_.token_table())) {
  initialise();
}

BertClassifier::BertClassifier(const BertOptions& options, int64_t classes)
    : BertModel(options),
      pooler_(add<Linear>("pooler", options.width, options.width)),
      dropout_(add<Dropout>("dropout", options.dropout)),
      head_(add<Linear>("head", options.width, classes)) {
  initialise();
}

Tensor BertClassifier::decide(const Tensor& states) {
  return head_(dropout_(named("pooled", tanh(pooler_(states.select(1, 0))))));
}

BertTagger::BertTagger(const BertOptions& options, int64_t tags)
    : BertModel(options),
      dropout_(add<Dropout>("dropout", options.dropout)),
      head_(add<Linear>("head", options.width, tags)) {
  initialise();
}

BertSentence::BertSentence(const BertOptions& options) : BertModel(options) { initialise(); }

Tensor BertSentence::forward(const Tensor& index) {
  const Tensor states = encoder_(index);
  if (encoder_.options().padding < 0) return decide(states);
  const Tensor padding =
      scalar(static_cast<double>(encoder_.options().padding), index.dtype()).to(index.device());
  return decide(states * to_dtype(not_equal(index, padding), states.dtype()).unsqueeze(2));
}

Tensor BertSentence::decide(const Tensor& states) {
  const Tensor total = sum(states, {1});  // a mean divides it; its length becomes 1 anyway
  const Tensor length = sqrt(sum(square(total), {1}, true));
  return total / maximum(length, full({}, 1e-12, total.dtype()).to(total.device()));
}

std::vector<std::string> BertSentence::stages() const {
  std::vector<std::string> names;
  for (const std::string& name : encoder_.stages()) names.push_back("encoder." + name);
  return names;
}

}  // namespace strata
