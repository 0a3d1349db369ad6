// The names of Hugging Face's transformers for language networks.
#include "models/interchange/dialects.h"

namespace strata::interchange {
namespace {

using nlohmann::json;

// Their linear layers are "Conv1D": [inputs, outputs].
Dialect gpt_huggingface() {
  Dialect d("huggingface");
  d.tensor("transformer.wte.weight", "token.weight");
  d.tensor("transformer.wpe.weight", "position");
  const std::string block = "transformer.h.*.";
  d.layer(block + "ln_1", "blocks.*.norm1");
  d.layer(block + "attn.c_attn", "blocks.*.attention.qkv", Layout::transposed);
  d.layer(block + "attn.c_proj", "blocks.*.attention.projection", Layout::transposed);
  d.layer(block + "ln_2", "blocks.*.norm2");
  d.layer(block + "mlp.c_fc", "blocks.*.mlp.expand", Layout::transposed);
  d.layer(block + "mlp.c_proj", "blocks.*.mlp.contract", Layout::transposed);
  d.layer("transformer.ln_f", "norm");
  d.copies = {{"lm_head.weight", "token.weight"}};
  d.ignored = {"*h.*.attn.bias", "*h.*.attn.masked_bias"};  // the causal mask
  d.root = "transformer.";
  return d;
}

Dialect bert_huggingface(const json& options) {
  Dialect d("huggingface");
  // A network without a head is the library's "base model", whose names have no prefix.
  const bool base = options.at("head") == "sentence";
  const std::string root = base ? "" : "bert.";
  const std::string embeddings = root + "embeddings.", block = root + "encoder.layer.*.";
  d.tensor(embeddings + "word_embeddings.weight", "encoder.token.weight");
  d.tensor(embeddings + "position_embeddings.weight", "encoder.position.weight");
  d.tensor(embeddings + "token_type_embeddings.weight", "encoder.type.weight");
  d.layer(embeddings + "LayerNorm", "encoder.norm");
  d.layer(block + "attention.self.{query,key,value}", "encoder.blocks.*.attention.qkv");
  d.layer(block + "attention.output.dense", "encoder.blocks.*.attention.projection");
  d.layer(block + "attention.output.LayerNorm", "encoder.blocks.*.norm1");
  d.layer(block + "intermediate.dense", "encoder.blocks.*.mlp.expand");
  d.layer(block + "output.dense", "encoder.blocks.*.mlp.contract");
  d.layer(block + "output.LayerNorm", "encoder.blocks.*.norm2");
  d.ignored = {"*embeddings.position_ids", "*embeddings.token_type_ids"};
  if (options.at("head") == "masked") {
    d.tensor("cls.predictions.bias", "head.bias");
    d.layer("cls.predictions.transform.dense", "head.transform");
    d.layer("cls.predictions.transform.LayerNorm", "head.norm");
    d.copies = {{"cls.predictions.decoder.weight", "encoder.token.weight"},
                {"cls.predictions.decoder.bias", "head.bias"}};
    d.ignored.insert(d.ignored.end(), {"*pooler.dense.*", "cls.seq_relationship.*"});
  } else if (base) {
    d.ignored.push_back("pooler.dense.*");
  } else {
    if (options.at("head") == "classes") d.layer("bert.pooler.dense", "pooler");
    d.layer("classifier", "head");
  }
  d.root = root;
  d.spellings = {{"LayerNorm.weight", "LayerNorm.gamma"}, {"LayerNorm.bias", "LayerNorm.beta"}};
  return d;
}

}  // namespace

std::vector<Dialect> language_dialects(const std::string& model, const json& options) {
  if (model.starts_with("gpt")) return {gpt_huggingface()};
  if (model.starts_with("bert")) return {bert_huggingface(options)};
  return {};
}

}  // namespace strata::interchange
