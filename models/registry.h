// Models by name, for the command line and for configuration files.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "models/model.h"

namespace strata {

struct ModelEntry {
  std::string name;   // "convnet"; "resnet20" and the other depths are names too
  std::string about;  // one line
};
std::vector<ModelEntry> model_entries();

// The options a model takes, with their defaults.
nlohmann::json model_options(const std::string& name, Caller at = Caller::here());

// Makes a model; `options` (an object, or null) replaces defaults. For images: channels, height,
// width, classes; options that say the shape of the data are accepted by every image model, also
// where it does not depend on them. An unknown name or option is an error that lists those there
// are.
std::unique_ptr<Model> make_model(const std::string& name, const nlohmann::json& options,
                                  Caller at = Caller::here());

}  // namespace strata
