// The subcommands of `strata`. Each function adds one to the application and, when it was the one
// typed, puts what it does into `run`, which returns the exit status.
#pragma once

#include <functional>

namespace CLI {
class App;
}

namespace strata::commands {

using Command = std::function<int()>;

void add_study(CLI::App& app, Command& run);   // strata study
void add_report(CLI::App& app, Command& run);  // strata report
void add_data(CLI::App& app, Command& run);    // strata data show
void add_models(CLI::App& app, Command& run);  // strata models
void add_graph(CLI::App& app, Command& run);   // strata graph
void add_xray(CLI::App& app, Command& run);    // strata xray
void add_bench(CLI::App& app, Command& run);   // strata bench

}  // namespace strata::commands
