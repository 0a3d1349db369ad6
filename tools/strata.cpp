// The command line: one subcommand a job, each set up in its own file under tools/commands.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <exception>

#include "tools/commands/commands.h"
#include "tools/study/version.h"

int main(int argc, char** argv) {
  CLI::App app{
      "Strata trains layered networks with its own engine and shows what each layer has "
      "learned.\n\n"
      "A first run, with images made by Strata itself (about 3 minutes on 2 cores):\n"
      "  strata study --data terrace --model convnet --out runs/first\n"
      "then open runs/first/report.html in a browser.\n"};
  app.set_version_flag("--version", std::string("strata ") + strata::version);
  app.require_subcommand(1);
  app.get_formatter()->column_width(34);
  strata::commands::Command run;
  strata::commands::add_study(app, run);
  strata::commands::add_report(app, run);
  strata::commands::add_data(app, run);
  strata::commands::add_models(app, run);
  strata::commands::add_graph(app, run);
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
