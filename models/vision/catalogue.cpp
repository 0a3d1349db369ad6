// The image models, by name.
#include "models/registry.h"
#include "models/vision/cifar_resnet.h"
#include "models/vision/convnet.h"
#include "models/vision/mlp.h"

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

ModelEntry image_model(std::string name, std::string about, const json& more, json tiny,
                       std::function<std::unique_ptr<Model>(const json&)> make) {
  return {std::move(name), std::move(about), Domain::image, image_options(more),
          std::move(tiny), std::move(make),  image_example};
}

ModelEntry cifar_resnet(int64_t depth) {
  auto make = [depth](const json& o) {
    return std::make_unique<CifarResNet>(CifarResNetOptions{.depth = depth,
                                                            .channels = o.at("channels"),
                                                            .classes = o.at("classes"),
                                                            .width = o.at("base_width")});
  };
  return image_model(fmt::format("resnet{}", depth),
                     fmt::format("residual network of depth {} for small images", depth),
                     {{"base_width", 16}}, {{"base_width", 2}, {"height", 8}, {"width", 8}}, make);
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
  for (int64_t depth : {8, 14, 20, 32, 44, 56, 110}) list.push_back(cifar_resnet(depth));
  return list;
}

}  // namespace strata::catalogue
