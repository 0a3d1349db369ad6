#include "models/registry.h"

#include <functional>
#include <nlohmann/json.hpp>

#include "models/convnet.h"
#include "models/gpt.h"
#include "models/mlp.h"
#include "models/resnet.h"

namespace strata {
namespace {

using nlohmann::json;

struct Entry {
  std::string name, about;
  json defaults;
  std::function<std::unique_ptr<Model>(const json&)> make;
};

json image(json more) {
  json options = {{"channels", 3}, {"height", 32}, {"width", 32}, {"classes", 10}};
  options.update(more);
  return options;
}

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

std::unique_ptr<Model> make_gpt(const json& o) {
  return std::make_unique<Gpt>(GptOptions{.vocabulary = o.at("vocabulary"),
                                          .context = o.at("context"),
                                          .width = o.at("width"),
                                          .heads = o.at("heads"),
                                          .layers = o.at("layers"),
                                          .dropout = o.at("dropout")});
}

const std::vector<Entry>& entries() {
  static const std::vector<Entry> all = [] {
    std::vector<Entry> list = {
        {"mlp", "fully connected layers with ReLU", image({{"hidden", {512}}, {"dropout", 0.0}}),
         make_mlp},
        {"convnet", "six convolutions with batch norm, the network of `strata study`",
         image({{"widths", {16, 32, 32, 64, 64, 128}}, {"max_pool", true}, {"halve", {2, 4}}}),
         make_convnet}};
    for (int64_t depth : {8, 14, 20, 32, 44, 56, 110}) {
      auto make = [depth](const json& o) {
        return std::make_unique<ResNet>(ResNetOptions{.depth = depth,
                                                      .channels = o.at("channels"),
                                                      .classes = o.at("classes"),
                                                      .width = o.at("base_width")});
      };
      list.push_back({fmt::format("resnet{}", depth),
                      fmt::format("residual network of depth {} for small images", depth),
                      image({{"base_width", 16}}), make});
    }
    GptOptions gpt;
    list.push_back({"gpt",
                    "transformer that predicts the next token",
                    {{"vocabulary", gpt.vocabulary},
                     {"context", gpt.context},
                     {"width", gpt.width},
                     {"heads", gpt.heads},
                     {"layers", gpt.layers},
                     {"dropout", gpt.dropout}},
                    make_gpt});
    return list;
  }();
  return all;
}

const Entry& entry_of(const std::string& name, Caller at) {
  std::string names;
  for (const Entry& entry : entries()) {
    if (entry.name == name) return entry;
    names += (names.empty() ? "" : ", ") + entry.name;
  }
  fail("make_model", at, "there is no model '{}'; there are {}", name, names);
}

}  // namespace

std::vector<ModelEntry> model_entries() {
  std::vector<ModelEntry> list;
  for (const Entry& entry : entries()) list.push_back({entry.name, entry.about});
  return list;
}

json model_options(const std::string& name, Caller at) { return entry_of(name, at).defaults; }

std::unique_ptr<Model> make_model(const std::string& name, const json& options, Caller at) {
  const Entry& entry = entry_of(name, at);
  json merged = entry.defaults;
  if (!options.is_null() && !options.is_object()) {
    fail("make_model", at, "the options of '{}' must be an object; got {}", name, options.dump());
  }
  for (auto& [key, value] : options.items()) {
    if (!merged.contains(key)) {
      fail("make_model", at, "'{}' has no option '{}'; it takes {}", name, key,
           entry.defaults.dump());
    }
    merged[key] = value;
  }
  try {
    return entry.make(merged);
  } catch (const json::exception& error) {
    fail("make_model", at, "an option of '{}' has the wrong type ({}); the defaults are {}", name,
         error.what(), entry.defaults.dump());
  }
}

}  // namespace strata
