// The description of a network in TOML, as read: which input, and which layers with which settings.
// What the types of layers are and what settings they take is models/config/layer_types.h.
//
//   [input]
//   kind = "image"          # image, sequence, vectors or tokens
//   height = 32
//   ...
//   [[layer]]
//   type = "conv"
//   width = 16
//   [[layer]]
//   type = "residual"
//   layer = [               # or [[layer.layer]] tables
//     {type = "conv", width = 16},
//   ]
//
//   kind       an example            sizes (defaults)
//   image      f32 [H, W, C]         height (32), width (32), channels (3), classes (0: not said)
//   sequence   f32 [T, C]            length, width, classes
//   vectors    f32 [C]               width, classes
//   tokens     i64 [T]               vocabulary, context (the longest T), classes
//
// The sizes are the options of the model, and a layer may name one where it takes a whole number:
// width = "classes".
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "engine/error.h"

namespace strata::config {

enum class InputKind { image, sequence, vectors, tokens };

struct Setting {
  nlohmann::json value;  // a number, a string or a boolean
  int line = 0;
};

struct LayerText {
  std::string type;
  std::string name;  // "conv2", the second conv of its list, where none is given
  int line = 0;
  int64_t repeat = 1;
  std::map<std::string, Setting> settings;  // without the above
  std::vector<LayerText> layers;            // of a block or a residual
};

struct Description {
  std::string file;  // for messages
  InputKind kind = InputKind::image;
  std::map<std::string, int64_t> sizes;
  std::vector<LayerText> layers;
};

// An error names file and line ("my.toml:12") and says what was expected.
Description parse_description(const std::string& text, const std::string& file);

// The whole text of a file; one that cannot be read is an error.
std::string read_description(const std::string& path, Caller at = Caller::here());

// "[my.toml:12] ..."
[[noreturn]] void fail_at(const std::string& file, int line, const std::string& message);

}  // namespace strata::config
