#include "tools/commands/beside.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <vector>

namespace strata::commands {

void take_all(CLI::App& subcommand) {
  subcommand.set_help_flag();
  subcommand.prefix_command();
}

void become(const std::string& program, const CLI::App& subcommand, const std::string& advice) {
  const auto path = std::filesystem::read_symlink("/proc/self/exe").parent_path() / program;
  if (!std::filesystem::exists(path))
    throw std::runtime_error(fmt::format("{} is not there: {}", path.string(), advice));
  std::vector<std::string> words = subcommand.remaining();
  words.insert(words.begin(), path.string());
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  execv(path.c_str(), arguments.data());
  throw std::runtime_error(
      fmt::format("{} could not be started: {}", path.string(), std::strerror(errno)));
}

}  // namespace strata::commands
