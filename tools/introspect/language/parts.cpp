#include "tools/introspect/language/parts.h"

#include "engine/ops/view.h"

namespace strata::introspect {
namespace {

template <class L>
L& layer_at(Module& model, const std::string& path) {
  return dynamic_cast<L&>(model.find(path));
}

Tensor parameter_at(const Module& model, const std::string& path) {
  for (const NamedTensor& parameter : model.named_parameters()) {
    if (parameter.name == path) return parameter.tensor;
  }
  fail("GptParts", Caller{}, "the model has no parameter '{}'", path);
}

}  // namespace

GptParts::GptParts(Gpt& model)
    : layers(static_cast<int64_t>(layer_at<Sequential>(model, "blocks").size())),
      heads(0),
      width(0),
      head_size(0),
      vocabulary(0),
      token(parameter_at(model, "token.weight").detach()),
      position(parameter_at(model, "position").detach()),
      norm(layer_at<LayerNorm>(model, "norm")),
      model_(model) {
  vocabulary = token.size(0);
  width = token.size(1);
  if (layers > 0) heads = attention(0).heads;
  if (heads > 0) head_size = width / heads;
}

MultiheadAttention& GptParts::attention(int64_t layer) const {
  return layer_at<MultiheadAttention>(model_, fmt::format("blocks.{}.attention", layer));
}

LayerNorm& GptParts::norm_before_attention(int64_t layer) const {
  return layer_at<LayerNorm>(model_, fmt::format("blocks.{}.norm1", layer));
}

void GptParts::check(int64_t layer, int64_t head) const {
  if (layer < 0 || layer >= layers || head < 0 || head >= heads) {
    fail("GptParts", Caller{}, "head {} of layer {} is outside {} layers of {} heads", head, layer,
         layers, heads);
  }
}

Tensor GptParts::read(int64_t layer, int64_t head, int64_t part) const {
  check(layer, head);
  int64_t begin = part * width + head * head_size;
  Tensor rows = attention(layer).qkv.weight.detach().slice(0, begin, begin + head_size);
  return rows.transpose(0, 1);
}

Tensor GptParts::output(int64_t layer, int64_t head) const {
  check(layer, head);
  Tensor weight = attention(layer).projection.weight.detach();
  return weight.slice(1, head * head_size, (head + 1) * head_size).transpose(0, 1);
}

Evaluation::Evaluation(Module& module) {
  for (auto& [path, layer] : module.named_modules()) modes_.emplace_back(layer, layer->training());
  module.eval();
}

Evaluation::~Evaluation() {
  // Parents come before their children, so that the last word is each layer's own.
  for (auto& [layer, training] : modes_) layer->train(training);
}

}  // namespace strata::introspect
