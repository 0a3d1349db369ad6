// The names of torchvision, timm and Hugging Face's transformers for image networks.
#include "models/interchange/dialects.h"

namespace strata::interchange {
namespace {

using nlohmann::json;

// The same in timm.
Dialect resnet_torchvision(const std::string& name) {
  Dialect d(name);
  d.tensor("conv1.weight", "conv1.conv.weight", Layout::convolution);
  d.batch_norm("bn1", "conv1.norm");
  for (int i = 1; i <= 3; ++i) {
    const std::string block = "layer*.*.", conv = fmt::format("conv{}", i);
    d.tensor(block + conv + ".weight", block + conv + ".conv.weight", Layout::convolution);
    d.batch_norm(block + fmt::format("bn{}", i), block + conv + ".norm");
  }
  d.tensor("layer*.*.downsample.0.weight", "layer*.*.downsample.conv.weight", Layout::convolution);
  d.batch_norm("layer*.*.downsample.1", "layer*.*.downsample.norm");
  d.layer("fc", "head");
  return d;
}

Dialect resnet_huggingface() {
  Dialect d("huggingface");
  auto conv_norm = [&](const std::string& theirs, const std::string& ours) {
    d.tensor(theirs + ".convolution.weight", ours + ".conv.weight", Layout::convolution);
    d.batch_norm(theirs + ".normalization", ours + ".norm");
  };
  conv_norm("resnet.embedder.embedder", "conv1");
  for (int stage = 0; stage < 4; ++stage) {
    const std::string theirs = fmt::format("resnet.encoder.stages.{}.layers.*.", stage);
    const std::string ours = fmt::format("layer{}.*.", stage + 1);
    for (int i = 0; i < 3; ++i) {
      conv_norm(theirs + fmt::format("layer.{}", i), ours + fmt::format("conv{}", i + 1));
    }
    conv_norm(theirs + "shortcut", ours + "downsample");
  }
  d.layer("classifier.1", "head");
  d.root = "resnet.";
  return d;
}

Dialect alexnet_torchvision(const json& options) {
  Dialect d("torchvision");
  const int places[] = {0, 3, 6, 8, 10};
  for (int i = 0; i < 5; ++i) {
    d.layer(fmt::format("features.{}", places[i]), fmt::format("conv{}", i + 1),
            Layout::convolution);
  }
  d.layer("classifier.1", "fc6", Layout::flattened, 4 * options.at("base_width").get<int64_t>());
  d.layer("classifier.4", "fc7");
  d.layer("classifier.6", "head");
  return d;
}

// Their convolutions are numbered with the ReLUs and pools between them. timm writes the linear
// layers as convolutions.
Dialect vgg(const json& options, const std::vector<int>& convolutions, bool batch_norm, bool timm) {
  Dialect d(timm ? "timm" : "torchvision");
  int place = 0;
  for (size_t stage = 0; stage < convolutions.size(); ++stage) {
    for (int i = 1; i <= convolutions[stage]; ++i) {
      const std::string ours = fmt::format("conv{}_{}", stage + 1, i);
      d.layer(fmt::format("features.{}", place), batch_norm ? ours + ".conv" : ours,
              Layout::convolution);
      if (batch_norm) d.batch_norm(fmt::format("features.{}", place + 1), ours + ".norm");
      place += batch_norm ? 3 : 2;
    }
    ++place;  // the pool
  }
  const int64_t channels = options.at("base_width").get<int64_t>()
                           << std::min<size_t>(convolutions.size() - 1, 3);
  if (timm) {
    d.layer("pre_logits.fc1", "fc1", Layout::flat_convolution, channels);
    d.layer("pre_logits.fc2", "fc2", Layout::flat_convolution, options.at("hidden").get<int64_t>());
  } else {
    d.layer("classifier.0", "fc1", Layout::flattened, channels);
    d.layer("classifier.3", "fc2");
  }
  d.layer(timm ? "head.fc" : "classifier.6", "head");
  return d;
}

std::vector<Dialect> vgg_dialects(const std::string& model, const json& options) {
  static const std::map<std::string, std::vector<int>> depths = {{"11", {1, 1, 2, 2, 2}},
                                                                 {"13", {2, 2, 2, 2, 2}},
                                                                 {"16", {2, 2, 3, 3, 3}},
                                                                 {"19", {2, 2, 4, 4, 4}}};
  auto found = depths.find(model.substr(3, 2));
  if (found == depths.end()) return {};
  const bool batch_norm = model.ends_with("_bn");
  return {vgg(options, found->second, batch_norm, false),
          vgg(options, found->second, batch_norm, true)};
}

Dialect vit_torchvision() {
  Dialect d("torchvision");
  d.tensor("class_token", "class_token");
  d.tensor("encoder.pos_embedding", "position");
  d.layer("conv_proj", "patch", Layout::convolution);
  const std::string block = "encoder.layers.encoder_layer_*.";
  d.layer(block + "ln_1", "blocks.*.norm1");
  d.tensor(block + "self_attention.in_proj_weight", "blocks.*.attention.qkv.weight");
  d.tensor(block + "self_attention.in_proj_bias", "blocks.*.attention.qkv.bias");
  d.layer(block + "self_attention.out_proj", "blocks.*.attention.projection");
  d.layer(block + "ln_2", "blocks.*.norm2");
  d.layer(block + "mlp.0", "blocks.*.mlp.expand");
  d.layer(block + "mlp.3", "blocks.*.mlp.contract");
  d.layer("encoder.ln", "norm");
  d.layer("heads.head", "head");
  d.spellings = {{".mlp.0.", ".mlp.linear_1."}, {".mlp.3.", ".mlp.linear_2."}};
  return d;
}

Dialect vit_timm() {
  Dialect d("timm");
  d.tensor("cls_token", "class_token");
  d.tensor("pos_embed", "position");
  d.layer("patch_embed.proj", "patch", Layout::convolution);
  d.layer("blocks.*.norm1", "blocks.*.norm1");
  d.layer("blocks.*.attn.qkv", "blocks.*.attention.qkv");
  d.layer("blocks.*.attn.proj", "blocks.*.attention.projection");
  d.layer("blocks.*.norm2", "blocks.*.norm2");
  d.layer("blocks.*.mlp.fc1", "blocks.*.mlp.expand");
  d.layer("blocks.*.mlp.fc2", "blocks.*.mlp.contract");
  d.layer("norm", "norm");
  d.layer("head", "head");
  return d;
}

// The names of files; since transformers 5 its modules have others in memory (vit_huggingface5).
Dialect vit_huggingface() {
  Dialect d("huggingface");
  d.tensor("vit.embeddings.cls_token", "class_token");
  d.tensor("vit.embeddings.position_embeddings", "position");
  d.layer("vit.embeddings.patch_embeddings.projection", "patch", Layout::convolution);
  const std::string block = "vit.encoder.layer.*.";
  d.layer(block + "layernorm_before", "blocks.*.norm1");
  d.layer(block + "attention.attention.{query,key,value}", "blocks.*.attention.qkv");
  d.layer(block + "attention.output.dense", "blocks.*.attention.projection");
  d.layer(block + "layernorm_after", "blocks.*.norm2");
  d.layer(block + "intermediate.dense", "blocks.*.mlp.expand");
  d.layer(block + "output.dense", "blocks.*.mlp.contract");
  d.layer("vit.layernorm", "norm");
  d.layer("classifier", "head");
  d.ignored = {"vit.pooler.*"};
  d.root = "vit.";
  return d;
}

Dialect vit_huggingface5() {
  Dialect d("huggingface5");
  d.tensor("vit.embeddings.cls_token", "class_token");
  d.tensor("vit.embeddings.position_embeddings", "position");
  d.layer("vit.embeddings.patch_embeddings.projection", "patch", Layout::convolution);
  const std::string block = "vit.layers.*.";
  d.layer(block + "layernorm_before", "blocks.*.norm1");
  d.layer(block + "attention.{q_proj,k_proj,v_proj}", "blocks.*.attention.qkv");
  d.layer(block + "attention.o_proj", "blocks.*.attention.projection");
  d.layer(block + "layernorm_after", "blocks.*.norm2");
  d.layer(block + "mlp.fc1", "blocks.*.mlp.expand");
  d.layer(block + "mlp.fc2", "blocks.*.mlp.contract");
  d.layer("vit.layernorm", "norm");
  d.layer("classifier", "head");
  d.ignored = {"vit.pooler.*"};
  d.root = "vit.";
  return d;
}

}  // namespace

std::vector<Dialect> vision_dialects(const std::string& model, const json& options) {
  if (model.starts_with("resnet") || model.starts_with("plain")) {
    return {resnet_torchvision("torchvision"), resnet_torchvision("timm"), resnet_huggingface()};
  }
  if (model.starts_with("alexnet")) return {alexnet_torchvision(options)};
  if (model.starts_with("vgg")) return vgg_dialects(model, options);
  if (model.starts_with("vit")) {
    return {vit_timm(), vit_torchvision(), vit_huggingface(), vit_huggingface5()};
  }
  return {};
}

}  // namespace strata::interchange
