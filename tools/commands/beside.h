// Programs that lie in the folder of `strata` and do the work of one of its subcommands: their
// kernels are compiled in another way.
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace strata::commands {

// Gives the subcommand whatever follows it on the command line, --help included.
void take_all(CLI::App& subcommand);
// Becomes the program, with what the subcommand was given. Throws std::runtime_error, with
// `advice`, when it is not there.
[[noreturn]] void become(const std::string& program, const CLI::App& subcommand,
                         const std::string& advice);

}  // namespace strata::commands
