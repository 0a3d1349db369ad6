#include "tests/kernels/conformance/golden.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstring>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace strata::test {

namespace {
constexpr char magic[] = "STRATAG1";
constexpr size_t header = 16;
}  // namespace

std::filesystem::path golden_path(const std::filesystem::path& folder, const std::string& probe) {
  std::string name = probe;
  for (char& letter : name)
    if (!std::isalnum(static_cast<unsigned char>(letter)) && letter != '-') letter = '_';
  return folder / (name + ".bin");
}

void write_golden(const std::filesystem::path& folder, const std::string& probe,
                  const Bytes& bytes) {
  std::filesystem::create_directories(folder);
  const std::filesystem::path path = golden_path(folder, probe);
  std::ofstream file(path, std::ios::binary);
  const uint64_t size = bytes.size();
  file.write(magic, 8);
  file.write(reinterpret_cast<const char*>(&size), sizeof size);
  file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(size));
  file.close();
  if (!file) throw std::runtime_error(fmt::format("{} could not be written", path.string()));
}

std::optional<Bytes> read_golden(const std::filesystem::path& folder, const std::string& probe) {
  const std::filesystem::path path = golden_path(folder, probe);
  if (!std::filesystem::exists(path)) return std::nullopt;
  std::ifstream file(path, std::ios::binary);
  const Bytes all{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  uint64_t size = 0;
  if (all.size() >= header) std::memcpy(&size, &all[8], sizeof size);
  if (all.size() < header || std::memcmp(all.data(), magic, 8) != 0 || size != all.size() - header)
    throw std::runtime_error(fmt::format("{} is no golden file, or not all of one", path.string()));
  return Bytes(all.begin() + header, all.end());
}

std::vector<std::filesystem::path> golden_folders(const std::filesystem::path& root) {
  std::vector<std::filesystem::path> folders;
  if (!std::filesystem::is_directory(root)) return folders;
  for (const auto& entry : std::filesystem::directory_iterator(root))
    if (entry.is_directory()) folders.push_back(entry.path());
  std::sort(folders.begin(), folders.end());
  return folders;
}

}  // namespace strata::test
