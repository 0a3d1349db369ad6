#include "tools/serve/library.h"

#include <algorithm>
#include <fstream>
#include <map>

namespace strata::serve {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr int deepest = 8;

std::string beginning_of(const fs::path& file, size_t bytes) {
  std::ifstream in(file, std::ios::binary);
  std::string text(bytes, '\0');
  in.read(text.data(), static_cast<std::streamsize>(bytes));
  text.resize(static_cast<size_t>(in.gcount()));
  return text;
}

// What the run calls itself; else the title of its page; else nothing.
std::string title_of(const fs::path& folder, const std::string& page) {
  std::ifstream in(folder / "config.json");
  const Json config = in ? Json::parse(in, nullptr, false) : Json();
  if (config.is_object()) {
    for (const char* key : {"title", "task"}) {
      if (config.contains(key) && config[key].is_string()) {
        std::string title = config[key];
        if (config.contains("seed")) title += ", seed " + config["seed"].dump();
        return title;
      }
    }
  }
  if (page.empty()) return "";
  const std::string text = beginning_of(folder / page, 4096);
  const size_t open = text.find("<title>"), close = text.find("</title>");
  if (open == text.npos || close == text.npos || close < open) return "";
  return text.substr(open + 7, close - open - 7);
}

void look_into(const fs::path& root, const fs::path& folder, std::vector<Entry>& found) {
  std::error_code none;
  Entry entry;
  entry.metrics = fs::is_regular_file(folder / "metrics.jsonl", none);
  for (const char* page : {"report.html", "index.html"}) {
    if (entry.page.empty() && fs::is_regular_file(folder / page, none)) entry.page = page;
  }
  if (!entry.metrics && entry.page.empty()) return;
  entry.path = folder.lexically_relative(root).generic_string();
  entry.title = title_of(folder, entry.page);
  found.push_back(std::move(entry));
}

}  // namespace

std::vector<Entry> find_entries(const fs::path& root) {
  std::vector<Entry> found;
  look_into(root, root, found);
  std::error_code none;
  for (fs::recursive_directory_iterator
           at(root, fs::directory_options::skip_permission_denied, none),
       end;
       at != end; at.increment(none)) {
    if (none) break;
    if (!at->is_directory(none) || at->is_symlink(none)) continue;
    if (at->path().filename().string().starts_with(".") || at.depth() + 1 >= deepest)
      at.disable_recursion_pending();
    if (!at->path().filename().string().starts_with(".")) look_into(root, at->path(), found);
  }
  std::sort(found.begin(), found.end(), [](auto& a, auto& b) { return a.path < b.path; });
  return found;
}

Json to_json(const std::vector<Entry>& entries) {
  Json list = Json::array();
  for (const Entry& e : entries)
    list.push_back(
        {{"path", e.path}, {"title", e.title}, {"page", e.page}, {"metrics", e.metrics}});
  return list;
}

std::optional<fs::path> file_inside(const fs::path& root, const std::string& path) {
  if (path.find('\0') != path.npos) return std::nullopt;
  std::error_code none;
  const fs::path folder = fs::canonical(root, none);
  if (none) return std::nullopt;
  const fs::path file = fs::canonical(folder / fs::path(path).relative_path(), none);
  if (none || !fs::is_regular_file(file, none)) return std::nullopt;
  const auto [differs, rest] =
      std::mismatch(folder.begin(), folder.end(), file.begin(), file.end());
  if (differs != folder.end()) return std::nullopt;
  return file;
}

std::optional<std::string> media_type(const fs::path& file) {
  static const std::map<std::string, std::string> types = {
      {".html", "text/html; charset=utf-8"},
      {".css", "text/css; charset=utf-8"},
      {".js", "text/javascript; charset=utf-8"},
      {".json", "application/json"},
      {".jsonl", "text/plain; charset=utf-8"},
      {".txt", "text/plain; charset=utf-8"},
      {".md", "text/plain; charset=utf-8"},
      {".png", "image/png"},
      {".jpg", "image/jpeg"},
      {".svg", "image/svg+xml"},
      {".wav", "audio/wav"}};
  const auto found = types.find(file.extension().string());
  if (found == types.end()) return std::nullopt;
  return found->second;
}

}  // namespace strata::serve
