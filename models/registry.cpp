#include "models/registry.h"

#include <algorithm>

#include "models/config/configured.h"

namespace strata {

using nlohmann::json;

const char* name_of(Domain domain) {
  static constexpr const char* names[] = {"image", "text", "audio", "graph", "words", "vectors"};
  return names[static_cast<size_t>(domain)];
}

namespace catalogue {

json image_options(const json& more, int64_t size) {
  json options = {{"channels", 3}, {"height", size}, {"width", size}, {"classes", 10}};
  options.update(more);
  return options;
}

Tensor image_example(const json& options, int64_t n, Generator& generator) {
  return randn({n, options.at("height"), options.at("width"), options.at("channels")}, 0, 1,
               DType::f32, &generator);
}

Tensor token_example(const json& options, int64_t n, Generator& generator) {
  const int64_t time = std::min<int64_t>(16, options.at("context"));
  return randint(0, options.at("vocabulary"), {n, time}, DType::i64, &generator);
}

}  // namespace catalogue

const std::vector<ModelEntry>& model_entries() {
  static const std::vector<ModelEntry> all = [] {
    std::vector<ModelEntry> list;
    for (auto part : {catalogue::vision, catalogue::language, catalogue::words, catalogue::audio,
                      catalogue::graph, catalogue::multimodal, catalogue::generative})
      for (ModelEntry& entry : part()) list.push_back(std::move(entry));
    return list;
  }();
  return all;
}

const ModelEntry& model_entry(const std::string& name, Caller at) {
  if (config::is_description(name)) return config::described_entry(name, "", at);
  std::string names;
  for (const ModelEntry& entry : model_entries()) {
    if (entry.name == name) return entry;
    names += (names.empty() ? "" : ", ") + entry.name;
  }
  fail(
      "make_model", at,
      "there is no model '{}'; there are {}, and files that describe one (.toml: see `strata new`)",
      name, names);
}

namespace {

// A description that comes with the options is the one that counts: its file may be gone.
const ModelEntry& entry_for(const std::string& name, const json& options, Caller at) {
  if (config::is_description(name) && options.is_object() && options.contains("description"))
    return config::described_entry(name, options.at("description"), at);
  return model_entry(name, at);
}

json without_description(json options) {
  options.erase("description");
  return options;
}

}  // namespace

json model_options(const std::string& name, Caller at) { return model_entry(name, at).defaults; }

json complete_options(const std::string& name, const json& options, Caller at) {
  if (!options.is_null() && !options.is_object()) {
    fail("make_model", at, "the options of '{}' must be an object; got {}", name, options.dump());
  }
  json merged = entry_for(name, options, at).defaults;
  for (auto& [key, value] : options.items()) {
    if (!merged.contains(key)) {
      fail("make_model", at, "'{}' has no option '{}'; it takes {}", name, key,
           without_description(merged).dump());
    }
    merged[key] = value;
  }
  return merged;
}

std::unique_ptr<Model> make_model(const std::string& name, const json& options, Caller at) {
  const json all = complete_options(name, options, at);
  const ModelEntry& entry = entry_for(name, all, at);
  try {
    return entry.make(all);
  } catch (const json::exception& error) {
    fail("make_model", at, "an option of '{}' has the wrong type ({}); the defaults are {}", name,
         error.what(), without_description(entry.defaults).dump());
  }
}

}  // namespace strata
