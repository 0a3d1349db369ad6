// strata bench: GPU kernels beside cuBLAS and cuDNN (bench/gpu).
#include <CLI/CLI.hpp>

#include "tools/commands/beside.h"
#include "tools/commands/commands.h"

namespace strata::commands {

void add_bench(CLI::App& app, Command& run) {
  auto* command = app.add_subcommand(
      "bench", "Measure the GPU kernels beside cuBLAS, cuBLASLt and cuDNN (--help)");
  take_all(*command);
  command->callback([command, &run] {
    run = [command]() -> int {
      become("strata_gpu_bench", *command,
             "build it with `cmake --build --preset cuda --target strata_gpu_bench`");
    };
  });
}

}  // namespace strata::commands
