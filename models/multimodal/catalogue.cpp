// The models of images with text, by name.
#include "models/multimodal/clip.h"
#include "models/registry.h"

namespace strata::catalogue {
namespace {

using nlohmann::json;

json clip_defaults() {
  const ClipOptions s = clip_s();
  const auto& tower = std::get<ClipResNetOptions>(s.image);
  return {{"channels", s.channels},
          {"height", s.image_size},
          {"width", s.image_size},
          {"embedding", s.embedding},
          {"tower", "resnet"},  // or "vit"
          {"blocks", tower.blocks},
          {"stem_stride", tower.stem_stride},
          {"start_as_shortcut", tower.start_as_shortcut},
          {"patch", 4},
          {"image_width", tower.width},
          {"image_layers", 4},
          {"image_heads", tower.heads},
          {"vocabulary", s.text.vocabulary},
          {"context", s.text.context},
          {"text_width", s.text.width},
          {"text_layers", s.text.layers},
          {"text_heads", s.text.heads},
          {"start_as_mean", s.text.start_as_mean}};
}

std::unique_ptr<Model> make_clip(const json& o) {
  ClipOptions clip{.channels = o.at("channels"),
                   .image_size = o.at("height"),
                   .embedding = o.at("embedding"),
                   .text = {.vocabulary = o.at("vocabulary"),
                            .context = o.at("context"),
                            .width = o.at("text_width"),
                            .layers = o.at("text_layers"),
                            .heads = o.at("text_heads"),
                            .start_as_mean = o.at("start_as_mean")}};
  if (o.at("height") != o.at("width"))
    fail("Clip", Caller{}, "images are square; got height {} and width {}", o.at("height").dump(),
         o.at("width").dump());
  const std::string tower = o.at("tower");
  if (tower == "vit") {
    clip.image = ClipVitOptions{.patch = o.at("patch"),
                                .width = o.at("image_width"),
                                .layers = o.at("image_layers"),
                                .heads = o.at("image_heads")};
  } else if (tower == "resnet") {
    clip.image = ClipResNetOptions{.blocks = o.at("blocks").get<std::vector<int64_t>>(),
                                   .width = o.at("image_width"),
                                   .heads = o.at("image_heads"),
                                   .stem_stride = o.at("stem_stride"),
                                   .start_as_shortcut = o.at("start_as_shortcut")};
  } else {
    fail("Clip", Caller{}, "the tower is \"vit\" or \"resnet\"; got \"{}\"", tower);
  }
  return std::make_unique<Clip>(clip);
}

}  // namespace

std::vector<ModelEntry> multimodal() {
  const json tiny = {{"tower", "vit"},        {"height", 8},      {"width", 8},
                     {"embedding", 8},        {"image_width", 8}, {"image_layers", 2},
                     {"image_heads", 2},      {"vocabulary", 20}, {"context", 8},
                     {"text_width", 8},       {"text_layers", 1}, {"text_heads", 2},
                     {"start_as_mean", false}};
  return {{"clip", "embeddings of images and of captions in one space", Domain::image,
           clip_defaults(), tiny, make_clip, image_example}};
}

}  // namespace strata::catalogue
