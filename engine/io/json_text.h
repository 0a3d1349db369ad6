// What a message shows of a JSON value that came from a file.
#pragma once

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string>

namespace strata::io {

// Lists and objects by their kind only, "(array)": printing them recurses, and a file may nest them
// deeply.
inline std::string json_text(const nlohmann::json& value) {
  return value.is_primitive() ? value.dump() : fmt::format("({})", value.type_name());
}

}  // namespace strata::io
