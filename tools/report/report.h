// A run folder becomes one report.html that opens from disk, reads nothing from a network, and is
// written aside and renamed.
//
//   strata::report::write_report("runs/terrace");            // config.json, metrics.jsonl,
//   report.json strata::report::write_report("runs/terrace", panels);    // the panels still in
//   memory
//
// The shape of the data is in CONTRACT.md. Cost: one pass over the files; the page is about 0.4 MB
// plus the pictures.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "engine/error.h"

namespace strata::report {

// The page for data {"config", "metrics", "panels"}; checks the contract first. No text of the data
// can end the script that carries it or become markup: it travels as JSON with every '<' escaped
// and is shown as text.
std::string render_page(const nlohmann::json& data, Caller at = Caller::here());

// Writes such a page aside and renames it.
void write_page(const std::filesystem::path& file, const nlohmann::json& data,
                Caller at = Caller::here());

// Reads the run and writes run/report.html. Returns its path. Throws Error when a file cannot be
// read or written, or the data breaks the contract; an older report.html then stays as it was.
std::filesystem::path write_report(const std::filesystem::path& run, Caller at = Caller::here());
std::filesystem::path write_report(const std::filesystem::path& run, const nlohmann::json& panels,
                                   Caller at = Caller::here());

}  // namespace strata::report
