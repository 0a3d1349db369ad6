// The part of the contract that is about text, sound and graphs: the panels "tokens", "attention",
// "audio" and "graphs" of report.json.
#pragma once

#include <nlohmann/json.hpp>

#include "engine/error.h"

namespace strata::report {

// Lists whose lengths do not fit each other, a tile that the sheet lacks, an edge to a node there
// is not, a sound that is no WAV inside the page: errors that name the place. An absent panel or
// control is none.
void check_senses(const nlohmann::json& panels, Caller at = Caller::here());

}  // namespace strata::report
