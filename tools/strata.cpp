// The command line: one subcommand a job, each set up in its own file under tools/commands.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <exception>

#include "tools/commands/commands.h"
#include "tools/study/version.h"

namespace {

// OpenMP's threads wait for one another by spinning, for long enough to waste a core whenever
// another program wants it. A short spin costs nothing on an idle machine. The runtime reads this
// before main(), so the program starts itself again with it.
void restart_with_short_spins(char** argv) {
  if (std::getenv("GOMP_SPINCOUNT") || std::getenv("OMP_WAIT_POLICY")) return;
  setenv("GOMP_SPINCOUNT", "2000", 1);
  execv("/proc/self/exe", argv);  // where that fails, the program goes on as it is
}

}  // namespace

int main(int argc, char** argv) {
  restart_with_short_spins(argv);
  CLI::App app{
      "Strata trains layered networks with its own engine and shows what each layer has "
      "learned.\n\n"
      "A first run, with images made by Strata itself (about 3 minutes on 2 cores):\n"
      "  strata study --data terrace --model convnet --out runs/first\n"
      "then open runs/first/report.html in a browser.\n"};
  app.set_version_flag("--version", std::string("strata ") + strata::version);
  app.require_subcommand(1);
  // An option given twice counts as given last, so that scripts can put the user's after their own.
  app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  app.get_formatter()->column_width(34);
  strata::commands::Command run;
  strata::commands::add_study(app, run);
  strata::commands::add_report(app, run);
  strata::commands::add_watch(app, run);
  strata::commands::add_serve(app, run);
  strata::commands::add_inspect(app, run);
  strata::commands::add_gallery(app, run);
  strata::commands::add_scores(app, run);
  strata::commands::add_induction(app, run);
  strata::commands::add_compare(app, run);
  strata::commands::add_embed(app, run);
  strata::commands::add_search(app, run);
  strata::commands::add_train(app, run);
  strata::commands::add_transfer(app, run);
  strata::commands::add_experiment(app, run);
  strata::commands::add_data(app, run);
  strata::commands::add_models(app, run);
  strata::commands::add_new(app, run);
  strata::commands::add_import(app, run);
  strata::commands::add_export(app, run);
  strata::commands::add_graph(app, run);
  strata::commands::add_xray(app, run);
  strata::commands::add_bench(app, run);
  try {
    app.parse(argc, argv);
    return run();
  } catch (const CLI::ParseError& error) {
    int code = app.exit(error);
    return code == 0 ? 0 : 2;
  } catch (const std::exception& error) {
    fmt::print(stderr, "strata: {}\n", error.what());
    return 1;
  }
}
