#include "tools/report/run_files.h"

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <tuple>
#include <vector>

namespace strata::report {
namespace {

using nlohmann::json;

// What makes two lines speak of the same thing.
using Key = std::tuple<std::string, std::int64_t, std::string, std::string, std::string>;

std::string text_of(const json& line, const char* key) {
  const auto found = line.find(key);
  return found != line.end() && found->is_string() ? found->get<std::string>() : std::string();
}

Key key_of(const json& line, std::size_t number, const std::string& name, Caller at) {
  if (!line.is_object()) fail("report", at, "{} line {}: expected an object", name, number);
  const std::string kind = text_of(line, "kind");
  if (kind.empty()) fail("report", at, "{} line {}: the member \"kind\" is missing", name, number);
  const auto step = line.find("step");
  if (step == line.end() || !step->is_number_integer() || step->get<std::int64_t>() < 0) {
    fail("report", at, "{} line {}: \"step\" must be a whole number from 0", name, number);
  }
  return {kind, step->get<std::int64_t>(), text_of(line, "layer"), text_of(line, "factor"),
          text_of(line, "control")};
}

json to_columns(const std::vector<const json*>& rows) {
  std::set<std::string> names;
  for (const json* row : rows) {
    for (const auto& member : row->items()) names.insert(member.key());
  }
  names.erase("kind");
  json columns = json::object();
  for (const std::string& name : names) {
    json& column = columns[name] = json::array();
    for (const json* row : rows) column.push_back(row->contains(name) ? (*row)[name] : json());
  }
  return columns;
}

}  // namespace

json read_json(const std::filesystem::path& file, Caller at) {
  std::ifstream in(file, std::ios::binary);
  if (!in) {
    fail("report", at, "cannot read {}: a run folder holds config.json and metrics.jsonl",
         file.string());
  }
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  try {
    return json::parse(text);
  } catch (const json::parse_error& error) {
    const auto end = text.begin() + static_cast<std::ptrdiff_t>(std::min(error.byte, text.size()));
    fail("report", at, "{} line {} is not JSON: {}", file.string(),
         1 + std::count(text.begin(), end, '\n'), error.what());
  }
}

json read_metrics(std::istream& lines, const std::string& name, Caller at) {
  std::map<Key, json> rows;
  std::size_t number = 0, broken = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    if (line.find_first_not_of(" \t\r") == line.npos) continue;
    if (broken) fail("report", at, "{} line {} is not JSON: {}", name, broken, "mend or remove it");
    json row = json::parse(line, nullptr, false);
    if (row.is_discarded()) {
      broken = number;  // allowed only if nothing follows
      continue;
    }
    const Key key = key_of(row, number, name, at);
    rows.insert_or_assign(key, std::move(row));
  }
  std::map<std::string, std::vector<const json*>> kinds;  // the map has sorted each kind by step
  for (const auto& [key, row] : rows) kinds[std::get<0>(key)].push_back(&row);
  json columns = json::object();
  for (const auto& [kind, list] : kinds) columns[kind] = to_columns(list);
  columns["dropped"] = broken ? 1 : 0;
  return columns;
}

}  // namespace strata::report
