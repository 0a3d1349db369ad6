// What a folder of runs holds that a browser can show, and which of its files may be read.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace strata::serve {

struct Entry {
  std::string path;  // below the folder, with '/'; "." for the folder itself
  std::string title;
  std::string page;  // report.html or index.html; empty: none
  bool metrics = false;
};

// Folders with metrics.jsonl (runs), report.html (studies, experiments) or index.html (galleries),
// by path; at most eight levels down, hidden folders and links to folders aside.
std::vector<Entry> find_entries(const std::filesystem::path& root);
nlohmann::json to_json(const std::vector<Entry>& entries);

// The file at `path` below `root`, links followed; nothing when it is not a file, or lies outside.
std::optional<std::filesystem::path> file_inside(const std::filesystem::path& root,
                                                 const std::string& path);
// By the name's ending: what a report or a gallery is made of. Nothing for all else (weights,
// checkpoints), which is not served.
std::optional<std::string> media_type(const std::filesystem::path& file);

}  // namespace strata::serve
