// The subcommands of `strata`. Each function adds one to the application and, when it was the one
// typed, puts what it does into `run`, which returns the exit status.
#pragma once

#include <functional>

namespace CLI {
class App;
}

namespace strata::commands {

using Command = std::function<int()>;

void add_study(CLI::App& app, Command& run);       // strata study
void add_report(CLI::App& app, Command& run);      // strata report
void add_watch(CLI::App& app, Command& run);       // strata watch
void add_serve(CLI::App& app, Command& run);       // strata serve
void add_data(CLI::App& app, Command& run);        // strata data show
void add_new(CLI::App& app, Command& run);         // strata new
void add_models(CLI::App& app, Command& run);      // strata models
void add_graph(CLI::App& app, Command& run);       // strata graph
void add_import(CLI::App& app, Command& run);      // strata import
void add_export(CLI::App& app, Command& run);      // strata export
void add_xray(CLI::App& app, Command& run);        // strata xray
void add_bench(CLI::App& app, Command& run);       // strata bench
void add_inspect(CLI::App& app, Command& run);     // strata inspect
void add_gallery(CLI::App& app, Command& run);     // strata gallery
void add_scores(CLI::App& app, Command& run);      // strata scores
void add_induction(CLI::App& app, Command& run);   // strata induction
void add_embed(CLI::App& app, Command& run);       // strata embed
void add_search(CLI::App& app, Command& run);      // strata search
void add_train(CLI::App& app, Command& run);       // strata train
void add_transfer(CLI::App& app, Command& run);    // strata transfer
void add_experiment(CLI::App& app, Command& run);  // strata experiment
void add_compare(CLI::App& app, Command& run);     // strata compare

}  // namespace strata::commands
