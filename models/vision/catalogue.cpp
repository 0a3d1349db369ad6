// The image models, by name.
#include "models/registry.h"
#include "models/vision/alexnet.h"
#include "models/vision/cifar_resnet.h"
#include "models/vision/convnet.h"
#include "models/vision/detector.h"
#include "models/vision/lenet.h"
#include "models/vision/mlp.h"
#include "models/vision/resnet.h"
#include "models/vision/unet.h"
#include "models/vision/vgg.h"
#include "models/vision/vit.h"

namespace strata::catalogue {
namespace {

using nlohmann::json;

std::unique_ptr<Model> make_mlp(const json& o) {
  int64_t inputs = o.at("channels").get<int64_t>() * o.at("height").get<int64_t>() *
                   o.at("width").get<int64_t>();
  return std::make_unique<Mlp>(MlpOptions{.inputs = inputs,
                                          .hidden = o.at("hidden").get<std::vector<int64_t>>(),
                                          .classes = o.at("classes"),
                                          .dropout = o.at("dropout")});
}

std::unique_ptr<Model> make_convnet(const json& o) {
  return std::make_unique<ConvNet>(
      ConvNetOptions{.channels = o.at("channels"),
                     .classes = o.at("classes"),
                     .widths = o.at("widths").get<std::vector<int64_t>>(),
                     .max_pool = o.at("max_pool"),
                     .halve = o.at("halve").get<std::vector<int64_t>>()});
}

json small_image() { return {{"height", 8}, {"width", 8}}; }

// `size` is that of the images it is usually given.
ModelEntry image_model(std::string name, std::string about, const json& more, json tiny,
                       std::function<std::unique_ptr<Model>(const json&)> make, int64_t size = 32) {
  return {std::move(name), std::move(about), Domain::image, image_options(more, size),
          std::move(tiny), std::move(make),  image_example};
}
// One of those published for photographs of 224x224 in 1000 classes.
ModelEntry photo_model(std::string name, std::string about, json more, json tiny,
                       std::function<std::unique_ptr<Model>(const json&)> make) {
  more["classes"] = 1000;
  tiny["classes"] = 5;
  return image_model(std::move(name), std::move(about), more, std::move(tiny), std::move(make),
                     224);
}

ModelEntry lenet() {
  auto make = [](const json& o) {
    return std::make_unique<LeNet>(LeNetOptions{.channels = o.at("channels"),
                                                .height = o.at("height"),
                                                .width = o.at("width"),
                                                .classes = o.at("classes"),
                                                .padding = o.at("padding")});
  };
  return image_model("lenet", "LeNet-5: two convolutions with tanh and means, three linear layers",
                     {{"channels", 1}, {"padding", 0}}, {{"height", 16}, {"width", 16}}, make);
}

ModelEntry alexnet(bool small) {
  const AlexNetOptions defaults = small ? alexnet_s_options() : AlexNetOptions{};
  auto make = [defaults](const json& o) {
    AlexNetOptions options = defaults;
    options.channels = o.at("channels");
    options.classes = o.at("classes");
    options.width = o.at("base_width");
    options.hidden = o.at("hidden");
    options.dropout = o.at("dropout");
    return std::make_unique<AlexNet>(options);
  };
  const json more = {
      {"base_width", defaults.width}, {"hidden", defaults.hidden}, {"dropout", defaults.dropout}};
  json tiny = {{"base_width", 4}, {"hidden", 8}, {"dropout", 0.0}};
  const int64_t size = small ? 16 : 64;
  tiny.update({{"height", size}, {"width", size}});
  if (small) {
    return image_model("alexnet_s", "AlexNet for small images: five convolutions, three linear",
                       more, tiny, make);
  }
  return photo_model("alexnet", "AlexNet with one tower: five convolutions, three linear layers",
                     more, tiny, make);
}

std::unique_ptr<Model> make_vgg(VggOptions options, const json& o) {
  options.channels = o.at("channels");
  options.classes = o.at("classes");
  options.width = o.at("base_width");
  options.hidden = o.at("hidden");
  options.dropout = o.at("dropout");
  options.batch_norm = o.value("batch_norm", options.batch_norm);
  return std::make_unique<Vgg>(options);
}

json vgg_json(const VggOptions& options) {
  return {{"base_width", options.width}, {"hidden", options.hidden}, {"dropout", options.dropout}};
}

ModelEntry vgg(int64_t depth, bool batch_norm) {
  const VggOptions options = vgg_options(depth, batch_norm);
  auto make = [options](const json& o) { return make_vgg(options, o); };
  return photo_model(
      fmt::format("vgg{}{}", depth, batch_norm ? "_bn" : ""),
      fmt::format("VGG of depth {}{}", depth, batch_norm ? " with batch norm" : ""),
      vgg_json(options),
      {{"base_width", 2}, {"hidden", 8}, {"dropout", 0.0}, {"height", 32}, {"width", 32}}, make);
}

ModelEntry vgg_s() {
  json more = vgg_json(vgg_s_options());
  more["batch_norm"] = true;
  json tiny = {{"base_width", 2}, {"hidden", 8}, {"dropout", 0.0}};
  tiny.update(small_image());
  return image_model("vgg_s", "VGG for small images: six convolutions, three linear layers", more,
                     tiny, [](const json& o) { return make_vgg(vgg_s_options(), o); });
}

ModelEntry resnet(int64_t depth) {
  auto make = [depth](const json& o) {
    return std::make_unique<ResNet>(ResNetOptions{.depth = depth,
                                                  .channels = o.at("channels"),
                                                  .classes = o.at("classes"),
                                                  .width = o.at("base_width"),
                                                  .small_images = o.at("small_images")});
  };
  return photo_model(fmt::format("resnet{}", depth),
                     fmt::format("residual network of depth {} for photographs", depth),
                     {{"base_width", 64}, {"small_images", false}},
                     {{"base_width", 2}, {"small_images", true}, {"height", 16}, {"width", 16}},
                     make);
}

ModelEntry cifar_resnet(int64_t depth, CifarVariant variant, const char* prefix,
                        const char* about) {
  auto make = [depth, variant](const json& o) {
    return std::make_unique<CifarResNet>(CifarResNetOptions{.depth = depth,
                                                            .channels = o.at("channels"),
                                                            .classes = o.at("classes"),
                                                            .width = o.at("base_width"),
                                                            .variant = variant});
  };
  json tiny = small_image();
  tiny["base_width"] = depth < 200 ? 2 : 1;
  return image_model(fmt::format("{}{}", prefix, depth),
                     fmt::format("{} of depth {} for small images", about, depth),
                     {{"base_width", 16}}, tiny, make);
}

ModelEntry vit(const char* name, VitOptions sizes) {
  auto make = [sizes](const json& o) {
    VitOptions options = sizes;
    options.channels = o.at("channels");
    options.height = o.at("height");
    options.width = o.at("width");
    options.classes = o.at("classes");
    options.patch = o.at("patch");
    options.embedding = o.at("embedding");
    options.layers = o.at("layers");
    options.heads = o.at("heads");
    options.dropout = o.at("dropout");
    return std::make_unique<Vit>(options);
  };
  const json more = {{"patch", sizes.patch},
                     {"embedding", sizes.embedding},
                     {"layers", sizes.layers},
                     {"heads", sizes.heads},
                     {"dropout", sizes.dropout}};
  json tiny = {{"patch", 4}, {"embedding", 16}, {"layers", 2}, {"heads", 2}};
  tiny.update(small_image());
  const std::string about = fmt::format("vision transformer: patches of {}, {} blocks of width {}",
                                        sizes.patch, sizes.layers, sizes.embedding);
  return sizes.patch == 16 ? photo_model(name, about, more, tiny, make)
                           : image_model(name, about, more, tiny, make);
}

ModelEntry unet() {
  auto make = [](const json& o) {
    return std::make_unique<UNet>(UNetOptions{.channels = o.at("channels"),
                                              .classes = o.at("classes"),
                                              .width = o.at("base_width"),
                                              .depth = o.at("depth")});
  };
  return image_model("unet", "U-Net: a class for every pixel",
                     {{"classes", 5}, {"base_width", 16}, {"depth", 3}},
                     {{"base_width", 4}, {"height", 8}, {"width", 8}}, make);
}

ModelEntry detector() {
  auto make = [](const json& o) {
    return std::make_unique<Detector>(DetectorOptions{
        .channels = o.at("channels"), .classes = o.at("classes"), .width = o.at("base_width")});
  };
  return image_model("detector", "CenterNet: objects as points, on a map of cells",
                     {{"classes", 4}, {"base_width", 16}},
                     {{"base_width", 4}, {"height", 16}, {"width", 16}}, make);
}

}  // namespace

std::vector<ModelEntry> vision() {
  std::vector<ModelEntry> list;
  list.push_back(image_model("mlp", "fully connected layers with ReLU",
                             {{"hidden", {512}}, {"dropout", 0.0}},
                             {{"hidden", {16}}, {"height", 8}, {"width", 8}}, make_mlp));
  list.push_back(
      image_model("convnet", "six convolutions with batch norm, the network of `strata study`",
                  {{"widths", {16, 32, 32, 64, 64, 128}}, {"max_pool", true}, {"halve", {2, 4}}},
                  {{"widths", {4, 6, 6, 8}}, {"height", 8}, {"width", 8}}, make_convnet));
  for (int64_t depth : {8, 14, 20, 32, 44, 56, 110, 1202}) {
    list.push_back(cifar_resnet(depth, CifarVariant::residual, "resnet", "residual network"));
  }
  for (int64_t depth : {8, 14, 20, 32, 44, 56}) {
    list.push_back(
        cifar_resnet(depth, CifarVariant::plain, "plain", "residual network without shortcuts"));
  }
  for (int64_t depth : {20, 32, 44, 56, 110}) {
    list.push_back(cifar_resnet(depth, CifarVariant::preactivation, "preresnet",
                                "pre-activation residual network"));
  }
  list.push_back(lenet());
  list.push_back(alexnet(true));
  list.push_back(vgg_s());
  list.push_back(vit("vit_s32", {.patch = 4, .embedding = 128, .layers = 6, .heads = 4}));
  list.push_back(alexnet(false));
  for (int64_t depth : {11, 13, 16, 19}) {
    for (bool batch_norm : {false, true}) list.push_back(vgg(depth, batch_norm));
  }
  for (int64_t depth : {18, 26, 34, 50, 101, 152}) list.push_back(resnet(depth));
  list.push_back(vit("vit_ti16", {.embedding = 192, .heads = 3}));
  list.push_back(vit("vit_s16", {.embedding = 384, .heads = 6}));
  list.push_back(vit("vit_b16", {.embedding = 768, .heads = 12}));
  list.push_back(unet());
  list.push_back(detector());
  return list;
}

}  // namespace strata::catalogue
