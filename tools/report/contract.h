// Checks a run's data against CONTRACT.md before a page is made of it, so that a mistake of the
// writer is a sentence with a place in it and not an empty panel.
#pragma once

#include <nlohmann/json.hpp>

#include "engine/error.h"

namespace strata::report {

// data: {"config": ..., "metrics": columns of read_metrics, "panels": report.json}. Absent panels
// are fine; a panel that contradicts itself or the config throws Error with a JSON pointer to the
// place.
void check_contract(const nlohmann::json& data, Caller at = Caller::here());

}  // namespace strata::report
