#include "models/config/configured.h"

#include <mutex>

#include "models/config/build.h"

namespace strata::config {
namespace {

using nlohmann::json;

// See the header. A norm behind a block is a stage of its own: the block's sum is worth a look.
std::vector<std::string> stages_of(const std::vector<Place>& places) {
  std::vector<std::string> stages;
  bool open = false, of_layers = false;  // may the next layer belong to the last stage?
  for (const Place& place : places) {
    const bool joins = place.follows && open && !(of_layers && place.has_parameters);
    if (joins) {
      stages.back() = place.path;
    } else if (place.has_parameters) {
      stages.push_back(place.path);
      of_layers = place.holds_layers;
    }
    open = joins || place.has_parameters;
  }
  if (stages.empty() || stages.back() != places.back().path) stages.push_back(places.back().path);
  return stages;
}

Domain domain_of(InputKind kind) {
  switch (kind) {
    case InputKind::image:
      return Domain::image;
    case InputKind::sequence:
      return Domain::audio;
    case InputKind::vectors:
      return Domain::vectors;
    case InputKind::tokens:
      break;
  }
  return Domain::text;
}

Tensor example_of(InputKind kind, const json& o, int64_t n, Generator& generator) {
  Dims shape;
  switch (kind) {
    case InputKind::image:
      return catalogue::image_example(o, n, generator);
    case InputKind::tokens:
      return catalogue::token_example(o, n, generator);
    case InputKind::sequence:
      shape = {n, o.at("length"), o.at("width")};
      break;
    case InputKind::vectors:
      shape = {n, o.at("width")};
      break;
  }
  return randn(shape, 0, 1, DType::f32, &generator);
}

// The description with the sizes that the options give.
std::unique_ptr<Model> make(Description description, const json& options) {
  for (auto& [name, value] : description.sizes) {
    value = options.at(name);
    if (value < (name == "classes" ? 0 : 1))
      fail("make_model", Caller{}, "the {} of {} must be above 0; got {}", name, description.file,
           value);
  }
  auto model = std::make_unique<ConfiguredModel>(description);
  const Row& last = model->rows().back();
  const int64_t classes = description.sizes.at("classes");
  if (classes > 0 && last.result.kind == InputKind::vectors && last.result.channels() != classes)
    fail_at(description.file, description.layers.back().line,
            fmt::format("the network gives {} numbers an example, and there are {} classes; want "
                        "width = \"classes\" in the last linear layer",
                        last.result.channels(), classes));
  return model;
}

ModelEntry entry_of(const std::string& path, const std::string& text) {
  const Description description = parse_description(text, path);
  ModelEntry entry;
  entry.name = path;
  entry.about = "a network described in TOML";
  entry.domain = domain_of(description.kind);
  entry.defaults = description.sizes;
  entry.defaults["description"] = text;
  entry.tiny = json::object();
  entry.make = [description](const json& options) { return make(description, options); };
  entry.example = [kind = description.kind](const json& options, int64_t n, Generator& generator) {
    return example_of(kind, options, n, generator);
  };
  return entry;
}

}  // namespace

ConfiguredModel::ConfiguredModel(const Description& description) {
  Builder builder(description);
  Builder::List list = builder.list(description.layers, input_shape(description), "");
  for (auto& [name, layer] : list.layers) {
    layers_.push_back(layer.get());
    add_child(name, layer);
  }
  rows_ = std::move(builder.rows);
  stages_ = stages_of(list.places);
}

Tensor ConfiguredModel::forward(const Tensor& x) {
  Tensor value = x;
  for (Layer* layer : layers_) value = (*layer)(value);
  return value;
}

bool is_description(const std::string& model) { return model.ends_with(".toml"); }

const ModelEntry& described_entry(const std::string& path, const std::string& text, Caller at) {
  static std::mutex mutex;
  static std::map<std::pair<std::string, std::string>, ModelEntry> entries;  // never erased
  const std::string description = text.empty() ? read_description(path, at) : text;
  const std::lock_guard lock(mutex);
  auto found = entries.find({path, description});
  if (found == entries.end())
    found = entries.emplace(std::pair(path, description), entry_of(path, description)).first;
  return found->second;
}

}  // namespace strata::config
