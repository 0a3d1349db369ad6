// Which network a state dict is of, by its names and shapes.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "engine/nn/module.h"

namespace strata {

struct ModelGuess {
  std::string model;       // a name of the registry
  nlohmann::json options;  // those that differ from its defaults
};

// The registered model of any dialect (models/interchange/interchange.h) that explains most tensors
// of `theirs`, with the options its shapes show. Heads cannot be seen in shapes: 64 numbers a head
// are assumed, as in most published networks. Nothing when no model explains half the tensors.
std::optional<ModelGuess> guess_model(const StateDict& theirs);

// Sets the options that count heads ("heads", "text_heads", "image_heads") to what a config.json of
// transformers says. Returns the names of those that `model` has and the config is silent about.
std::vector<std::string> read_heads(const nlohmann::json& config, ModelGuess& guess);

}  // namespace strata
