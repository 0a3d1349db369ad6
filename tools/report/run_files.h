// Reads what a run left (CONTRACT.md): config.json, metrics.jsonl, report.json.
#pragma once

#include <filesystem>
#include <istream>
#include <nlohmann/json.hpp>
#include <string>

#include "engine/error.h"

namespace strata::report {

// A JSON file as a value. Throws Error naming the file, and the line where the text breaks.
nlohmann::json read_json(const std::filesystem::path& file, Caller at = Caller::here());

// metrics.jsonl as columns, a third of the size of rows:
//   {"train": {"step": [...], "loss": [...]}, "probe": {...}, "dropped": 0}
// A key that a line lacks, and a number that is not finite, is null. Of two lines about the same
// thing (kind, step, layer, factor, control) the later counts. Rows are sorted by step. A broken
// last line is dropped and counted; any other broken line is an Error that names its number. `name`
// is the file's name for messages.
nlohmann::json read_metrics(std::istream& lines, const std::string& name,
                            Caller at = Caller::here());

}  // namespace strata::report
