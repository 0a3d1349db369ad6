// The names of CLIP: those of OpenAI's program (and of OpenCLIP), and Hugging Face's.
#include "models/interchange/dialects.h"

namespace strata::interchange {
namespace {

using nlohmann::json;

void openai_blocks(Dialect& d, const std::string& theirs, const std::string& ours) {
  d.layer(theirs + "ln_1", ours + "norm1");
  d.tensor(theirs + "attn.in_proj_weight", ours + "attention.qkv.weight");
  d.tensor(theirs + "attn.in_proj_bias", ours + "attention.qkv.bias");
  d.layer(theirs + "attn.out_proj", ours + "attention.projection");
  d.layer(theirs + "ln_2", ours + "norm2");
  d.layer(theirs + "mlp.c_fc", ours + "mlp.expand");
  d.layer(theirs + "mlp.c_proj", ours + "mlp.contract");
}

void openai_vit(Dialect& d) {
  d.tensor("visual.class_embedding", "image.class_token");
  d.tensor("visual.positional_embedding", "image.position");
  d.tensor("visual.conv1.weight", "image.patch.weight", Layout::convolution);
  d.layer("visual.ln_pre", "image.norm_in");
  openai_blocks(d, "visual.transformer.resblocks.*.", "image.blocks.*.");
  d.layer("visual.ln_post", "image.norm_out");
  d.tensor("visual.proj", "image.projection.weight", Layout::transposed);
}

void openai_resnet(Dialect& d) {
  auto conv_norm = [&](const std::string& conv, const std::string& norm, const std::string& ours) {
    d.tensor(conv + ".weight", ours + ".conv.weight", Layout::convolution);
    d.batch_norm(norm, ours + ".norm");
  };
  for (int i = 1; i <= 3; ++i) {
    const std::string conv = fmt::format("conv{}", i), norm = fmt::format("bn{}", i);
    conv_norm("visual." + conv, "visual." + norm, "image." + conv);
    conv_norm("visual.layer*.*." + conv, "visual.layer*.*." + norm, "image.layer*.*." + conv);
  }
  conv_norm("visual.layer*.*.downsample.0", "visual.layer*.*.downsample.1",
            "image.layer*.*.shortcut");
  d.tensor("visual.attnpool.positional_embedding", "image.pool.position");
  d.layer("visual.attnpool.k_proj", "image.pool.key");
  d.layer("visual.attnpool.q_proj", "image.pool.query");
  d.layer("visual.attnpool.v_proj", "image.pool.value");
  d.layer("visual.attnpool.c_proj", "image.pool.projection");
}

Dialect openai(bool vit) {
  Dialect d("openai");
  vit ? openai_vit(d) : openai_resnet(d);
  d.tensor("token_embedding.weight", "text.token.weight");
  d.tensor("positional_embedding", "text.position");
  openai_blocks(d, "transformer.resblocks.*.", "text.blocks.*.");
  d.layer("ln_final", "text.norm");
  d.tensor("text_projection", "text.projection.weight", Layout::transposed);
  d.tensor("logit_scale", "logit_scale");
  d.ignored = {"input_resolution", "context_length", "vocab_size", "attn_mask"};
  return d;
}

void huggingface_blocks(Dialect& d, const std::string& tower, const std::string& ours) {
  const std::string theirs = tower + ".encoder.layers.*.";
  d.layer(theirs + "layer_norm1", ours + "norm1");
  d.layer(theirs + "self_attn.{q_proj,k_proj,v_proj}", ours + "attention.qkv");
  d.layer(theirs + "self_attn.out_proj", ours + "attention.projection");
  d.layer(theirs + "layer_norm2", ours + "norm2");
  d.layer(theirs + "mlp.fc1", ours + "mlp.expand");
  d.layer(theirs + "mlp.fc2", ours + "mlp.contract");
}

// Hugging Face has the transformer towers only.
Dialect huggingface() {
  Dialect d("huggingface");
  d.tensor("vision_model.embeddings.class_embedding", "image.class_token");
  d.tensor("vision_model.embeddings.position_embedding.weight", "image.position");
  d.tensor("vision_model.embeddings.patch_embedding.weight", "image.patch.weight",
           Layout::convolution);
  d.layer("vision_model.pre_layrnorm", "image.norm_in");  // spelled so
  huggingface_blocks(d, "vision_model", "image.blocks.*.");
  d.layer("vision_model.post_layernorm", "image.norm_out");
  d.tensor("visual_projection.weight", "image.projection.weight");
  d.tensor("text_model.embeddings.token_embedding.weight", "text.token.weight");
  d.tensor("text_model.embeddings.position_embedding.weight", "text.position");
  huggingface_blocks(d, "text_model", "text.blocks.*.");
  d.layer("text_model.final_layer_norm", "text.norm");
  d.tensor("text_projection.weight", "text.projection.weight");
  d.tensor("logit_scale", "logit_scale");
  d.ignored = {"*.embeddings.position_ids"};
  return d;
}

}  // namespace

std::vector<Dialect> clip_dialects(const std::string& model, const json& options) {
  if (model != "clip") return {};
  const bool vit = options.at("tower") == "vit";
  if (vit) return {huggingface(), openai(true)};
  return {openai(false)};
}

}  // namespace strata::interchange
