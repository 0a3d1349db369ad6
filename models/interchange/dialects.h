// The tables behind dialects_of(), a file a domain.
#pragma once

#include <nlohmann/json.hpp>

#include "models/interchange/rules.h"

namespace strata::interchange {

std::vector<Dialect> vision_dialects(const std::string& model, const nlohmann::json& options);
std::vector<Dialect> language_dialects(const std::string& model, const nlohmann::json& options);
std::vector<Dialect> clip_dialects(const std::string& model, const nlohmann::json& options);

}  // namespace strata::interchange
