// strata watch: a running job in the terminal.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <memory>
#include <optional>

#include "tools/commands/commands.h"
#include "tools/watch/screen.h"
#include "tools/watch/terminal.h"

namespace strata::commands {
namespace {

using namespace strata::watch;

struct Options {
  std::string run;
  bool once = false, ascii = false;
  double every = 1;  // seconds
  int width = 100;
};

void print(const RunState& run, const Look& look) {
  for (const std::string& line : screen(run, look)) fmt::print("{}\n", line);
}

int snapshot(RunState& run, const Options& o) {
  if (!run.has_metrics())
    fail("watch", Caller{},
         "{} has no metrics yet: its first line comes after the first steps; try again in a moment",
         run.folder());
  print(run, {.width = o.width, .ascii = o.ascii});
  return 0;
}

std::vector<std::string> picture(const RunState& run, const Options& o) {
  const int height = std::max(4, Terminal::height());
  std::vector<std::string> lines;
  if (run.has_metrics()) {
    lines = screen(
        run, {.width = std::max(20, Terminal::width()), .height = height - 1, .ascii = o.ascii});
  } else {
    lines = {run.title(), "", "  no metrics yet: waiting for the first line"};
  }
  lines.resize(static_cast<size_t>(height - 1));
  lines.push_back("q: leave (the run goes on)");
  return lines;
}

int live(RunState& run, const Options& o) {
  {
    Terminal terminal;
    while (run.phase() != Phase::ended) {
      run.update();
      terminal.show(picture(run, o));  // also when nothing is new: the window may have changed
      if (terminal.leaves(static_cast<int>(1000 * o.every))) return 0;
    }
  }
  run.update();
  print(run, {.width = std::max(20, Terminal::width()), .ascii = o.ascii});
  return 0;
}

int watch(const Options& o) {
  RunState run(o.run);
  run.update();
  const bool terminal = isatty(STDOUT_FILENO) != 0;
  if (o.once || !terminal || (run.has_metrics() && run.phase() == Phase::ended)) {
    Options fitting = o;
    if (terminal && Terminal::width() > 0) fitting.width = Terminal::width();
    return snapshot(run, fitting);
  }
  return live(run, o);
}

}  // namespace

void add_watch(CLI::App& app, Command& run) {
  auto o = std::make_shared<Options>();
  auto* command =
      app.add_subcommand("watch", "Watch a run in the terminal: curves, layers, rate, time left");
  command->add_option("RUN", o->run, "Folder of a run of strata study or train")->required();
  command->add_flag("--once", o->once, "Print how it stands and end, as into a pipe");
  command->add_option("--every", o->every, "Seconds between two looks")
      ->capture_default_str()
      ->check(CLI::Range(0.05, 3600.0));
  command->add_option("--width", o->width, "Columns, where the output is no terminal")
      ->capture_default_str()
      ->check(CLI::Range(20, 1000));
  command->add_flag("--ascii", o->ascii, "For terminals that have no Unicode");
  command->callback([o, &run] { run = [o] { return watch(*o); }; });
}

}  // namespace strata::commands
