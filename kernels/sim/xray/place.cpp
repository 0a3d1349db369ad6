#include "kernels/sim/xray/place.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>

extern "C" char __executable_start;

namespace strata::sim {

namespace {

constexpr PlaceKey interned = PlaceKey{1} << 63;

struct Sites {
  std::mutex mutex;
  std::map<std::pair<const char*, int>, PlaceKey> keys;
  std::vector<Site> sites;
};
Sites& sites() {
  static Sites instance;
  return instance;
}

// Kernel files and the headers of their families, rather than the primitives and the library below
// them.
bool is_kernel_text(const std::string& file) {
  if (file.ends_with(".cu")) return true;
  const auto in = [&](const char* folder) { return file.find(folder) != file.npos; };
  return in("/kernels/") && !in("/kernels/gpu/") && !in("/kernels/sim/") && !in("/kernels/common/");
}

// addr2line prints, for each address, the chain of inlined calls, innermost first, after a line
// with the address itself.
void resolve_addresses(const std::vector<PlaceKey>& keys,
                       std::unordered_map<PlaceKey, Place>& places) {
  if (keys.empty()) return;
  const std::filesystem::path list =
      std::filesystem::temp_directory_path() / fmt::format("strata-xray-{}.txt", getpid());
  {
    std::ofstream file(list);
    // The address of a return lies behind the instruction.
    for (PlaceKey key : keys)
      file << fmt::format("0x{:x}\n", key - 1 - reinterpret_cast<uintptr_t>(&__executable_start));
  }
  const std::string command =
      fmt::format("addr2line -a -i -e /proc/{}/exe < '{}' 2>/dev/null", getpid(), list.string());
  size_t index = 0;
  bool found = false;
  if (FILE* pipe = popen(command.c_str(), "r")) {
    char line[4096];
    while (fgets(line, sizeof line, pipe)) {
      std::string text = line;
      if (text.starts_with("0x")) {
        ++index;
        found = false;
        continue;
      }
      const size_t colon = text.rfind(':');
      if (index == 0 || index > keys.size() || colon == text.npos) continue;
      const Place place{text.substr(0, colon), std::atoi(text.c_str() + colon + 1)};
      Place& kept = places[keys[index - 1]];
      const bool kernel = is_kernel_text(place.file);
      if (kept.file.empty() || (kernel && !found)) kept = place;
      found = found || kernel;
    }
    pclose(pipe);
  }
  std::error_code ignored;
  std::filesystem::remove(list, ignored);
}

}  // namespace

std::string to_string(const Place& place) {
  return fmt::format("{}:{}", std::filesystem::path(place.file).filename().string(), place.line);
}

PlaceKey key_of(Site site) {
  Sites& known = sites();
  std::lock_guard lock(known.mutex);
  auto [entry, added] =
      known.keys.try_emplace({site.file, site.line}, interned | known.sites.size());
  if (added) known.sites.push_back(site);
  return entry->second;
}

PlaceKey key_of(const void* pc) { return reinterpret_cast<uintptr_t>(pc); }

std::unordered_map<PlaceKey, Place> resolve(const std::vector<PlaceKey>& keys) {
  std::unordered_map<PlaceKey, Place> places;
  std::vector<PlaceKey> addresses;
  for (PlaceKey key : keys) {
    if (key & interned) {
      const Site site = sites().sites[key & ~interned];
      places[key] = {site.file, site.line};
    } else {
      addresses.push_back(key);
    }
  }
  resolve_addresses(addresses, places);
  for (PlaceKey key : keys)
    if (places[key].file.empty()) places[key].file = "?";
  return places;
}

}  // namespace strata::sim
