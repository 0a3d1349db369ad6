// Models by name, for the command line and for configuration files. Each folder of models/ lists
// its own in a catalogue.cpp.
#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "engine/ops/random.h"
#include "models/model.h"

namespace strata {

// What a model takes.
enum class Domain {
  image,    // f32 [N, H, W, C]
  text,     // tokens, i64 [N, T]
  audio,    // a waveform, f32 [N, T]; or features, f32 [N, T, C]
  graph,    // features of the nodes, f32 [nodes, C], of a graph that the model holds
  words,    // word numbers, i64
  vectors,  // f32 [N, C]
};
const char* name_of(Domain domain);

struct ModelEntry {
  std::string name;   // "convnet"; "resnet20" and the other depths are names too
  std::string about;  // one line
  Domain domain = Domain::image;
  nlohmann::json defaults;  // the options it takes
  nlohmann::json
      tiny;  // those of an instance small enough for tests of every model; the rest are defaults
  std::function<std::unique_ptr<Model>(const nlohmann::json& options)> make;
  // `n` examples that a model with these options (all of them) takes; a graph has as many nodes as
  // it has.
  std::function<Tensor(const nlohmann::json& options, int64_t n, Generator& generator)> example;
};

// All models, in the order of their domains.
const std::vector<ModelEntry>& model_entries();
// An unknown name is an error that lists those there are. The path of a description in TOML
// ("my.toml") is a name too: see models/config/configured.h.
const ModelEntry& model_entry(const std::string& name, Caller at = Caller::here());

// The options a model takes, with their defaults.
nlohmann::json model_options(const std::string& name, Caller at = Caller::here());
// The same with `options` (an object, or null) in the place of defaults, as the model is made from.
// An unknown option is an error that lists those there are.
nlohmann::json complete_options(const std::string& name, const nlohmann::json& options,
                                Caller at = Caller::here());

// Makes a model with complete_options(name, options). For images: channels, height,
// width, classes; options that say the shape of the data are accepted by every image classifier,
// also where it does not depend on them.
std::unique_ptr<Model> make_model(const std::string& name, const nlohmann::json& options,
                                  Caller at = Caller::here());

// The folders' lists, which model_entries() joins.
namespace catalogue {
std::vector<ModelEntry> vision();
std::vector<ModelEntry> language();
std::vector<ModelEntry> words();
std::vector<ModelEntry> audio();
std::vector<ModelEntry> graph();
std::vector<ModelEntry> multimodal();
std::vector<ModelEntry> generative();
// For the lists: options of an image classifier, with `more` of its own; and its example.
nlohmann::json image_options(const nlohmann::json& more, int64_t size = 32);
Tensor image_example(const nlohmann::json& options, int64_t n, Generator& generator);
// Tokens [n, min(context, 16)] below the option "vocabulary".
Tensor token_example(const nlohmann::json& options, int64_t n, Generator& generator);
}  // namespace catalogue

}  // namespace strata
