// strata experiment: claims of representation learning, tested.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "engine/io/atomic_file.h"
#include "tools/commands/commands.h"
#include "tools/experiments/runner.h"

namespace strata::commands {
namespace {

using namespace strata::experiments;

struct Options {
  std::string name, budget = "small", device = "cpu", lie = "none";
  RunOptions run;
};

int list_experiments() {
  fmt::print("{:<4}{:<22}{:>8}{:>9}{:>7}  {}\n", "", "name", "minutes", "MiB", "seeds", "claim");
  for (const Experiment& e : experiments::experiments())
    fmt::print("{:<4}{:<22}{:>8.1f}{:>9.0f}{:>7}  {}\n", fmt::format("E{}", e.number), e.name,
               e.minutes, e.memory_mib, e.seeds, e.claim);
  return 0;
}

void print(const Run& run) {
  fmt::print("E{} {}: {}\n  {}\n  {}\n  {}\n", run.experiment->number, run.experiment->name,
             name_of(run.result.verdict), run.result.answer, run.result.why,
             (run.folder / "report.html").string());
}

int run_experiments(const Options& o) {
  if (o.name == "list") return list_experiments();
  if (o.name != "all") {
    RunOptions options = o.run;
    const Experiment& e = experiment_named(o.name);
    if (options.out.empty()) options.out = std::filesystem::path("runs") / e.name;
    print(run(e, options));
    return 0;
  }
  const std::filesystem::path folder = o.run.out.empty() ? "runs/experiments" : o.run.out;
  std::vector<Run> runs;
  for (const Experiment& e : experiments::experiments()) {
    RunOptions options = o.run;
    options.out = folder / e.name;
    runs.push_back(run(e, options));
    print(runs.back());
    io::write_file((folder / "index.html").string(), render_index(runs));
  }
  fmt::print("{}\n", (folder / "index.html").string());
  return 0;
}

}  // namespace

void add_experiment(CLI::App& app, Command& run) {
  auto o = std::make_shared<Options>();
  auto* command = app.add_subcommand(
      "experiment",
      "Test a claim of representation learning: list, all, or a name (hierarchy, E1)");
  command->add_option("NAME", o->name, "list, all, or which")->required();
  command->add_option("--seeds", o->run.seeds, "How many; what the experiment needs by default")
      ->check(CLI::Range(1, 64));
  command->add_option("--first-seed", o->run.first_seed, "Seeds count from here")
      ->capture_default_str();
  command->add_option("--budget", o->budget, "small: two cores; full: a GPU")
      ->capture_default_str()
      ->check(CLI::IsMember({"small", "full"}));
  command->add_option("--device", o->device, "cpu or gpu")->capture_default_str();
  command->add_option("--lie", o->lie, "Plant a lie that the verdict must catch")
      ->capture_default_str()
      ->check(CLI::IsMember({"none", "shuffled-labels", "untrained", "moving-layers"}));
  command->add_option("-o,--out", o->run.out, "Folder (runs/NAME)");
  command->add_flag("--force", o->run.force, "Run seeds again whose numbers are there");
  command->callback([o, &run] {
    o->run.budget = o->budget == "full" ? Budget::full : Budget::small;
    o->run.device = device_from(o->device);
    o->run.lie = o->lie == "shuffled-labels" ? Lie::shuffled_labels
                 : o->lie == "untrained"     ? Lie::untrained
                 : o->lie == "moving-layers" ? Lie::moving_layers
                                             : Lie::none;
    run = [o] { return run_experiments(*o); };
  });
}

}  // namespace strata::commands
