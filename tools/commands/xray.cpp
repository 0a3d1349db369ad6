// strata xray: what a GPU kernel asks of memory, line by line (tools/xray/main.cpp).
#include <CLI/CLI.hpp>

#include "tools/commands/beside.h"
#include "tools/commands/commands.h"

namespace strata::commands {

void add_xray(CLI::App& app, Command& run) {
  auto* command = app.add_subcommand(
      "xray", "Run a GPU kernel on the simulator and show what it asks of memory (--help)");
  take_all(*command);
  command->callback([command, &run] {
    run = [command]() -> int {
      become(
          "strata-xray", *command,
          "build it with `cmake --build --preset default --target strata-xray`; it needs g++, and "
          "neither CUDA nor sanitizers");
    };
  });
}

}  // namespace strata::commands
