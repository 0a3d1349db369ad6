// strata train: networks of every domain on their data.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <memory>

#include "tools/commands/commands.h"
#include "tools/train/trainer.h"

namespace strata::commands {
namespace {

using namespace strata::train;

struct Options {
  std::string task, model, device = "cpu";
  int64_t seeds = 1;
  TaskOptions run;
};

int list_tasks() {
  for (const TaskEntry& t : tasks())
    fmt::print("{:<20} {}{}\n", t.name, t.about,
               t.data.empty() ? "" : fmt::format(" (--data {})", t.data));
  return 0;
}

std::string shown(const Score& s) {
  std::string text =
      fmt::format("{} {:.4g}{}{}", s.name, s.value, s.unit.empty() ? "" : " ", s.unit);
  if (!std::isnan(s.yardstick)) text += fmt::format(" ({}: {:.4g})", s.yardstick_name, s.yardstick);
  return text;
}

int train_task(const Options& o, const std::string& command) {
  if (o.task == "list") return list_tasks();
  const TaskEntry& entry = task_named(o.task);
  std::vector<TaskResult> results;
  for (int64_t i = 0; i < o.seeds; ++i) {
    TaskOptions options = o.run;
    options.seed += static_cast<uint64_t>(i);
    options.device = device_from(o.device);
    if (!o.model.empty()) options.model = nlohmann::json::parse(o.model);
    if (options.out.empty()) options.out = std::filesystem::path("runs") / o.task;
    if (o.seeds > 1) options.out /= fmt::format("seed-{}", options.seed);
    results.push_back(run_task(entry, options, command));
    const TaskResult& r = results.back();
    fmt::print("{}, seed {}: {} parameters, {:.0f} s, {:.0f} MiB of tensors\n", o.task,
               options.seed, r.parameters, r.seconds, r.memory_mib);
    for (const Score& s : r.scores) fmt::print("  {}\n", shown(s));
    for (const std::string& line : r.lines) fmt::print("  {}\n", line);
  }
  if (o.seeds == 1) return 0;
  fmt::print("{} seeds:\n", o.seeds);
  for (size_t k = 0; k < results.front().scores.size(); ++k) {
    double sum = 0, squares = 0;
    for (const TaskResult& r : results) sum += r.scores[k].value;
    const double mean = sum / static_cast<double>(o.seeds);
    for (const TaskResult& r : results) squares += std::pow(r.scores[k].value - mean, 2);
    fmt::print("  {} {:.4g} +- {:.2g}\n", results.front().scores[k].name, mean,
               std::sqrt(squares / static_cast<double>(o.seeds - 1)));
  }
  return 0;
}

}  // namespace

void add_train(CLI::App& app, Command& run) {
  auto o = std::make_shared<Options>();
  auto* command =
      app.add_subcommand("train", "Train a network of any domain on its task: list, or a name");
  command->add_option("TASK", o->task, "list, or which")->required();
  command->add_option("--data", o->run.data,
                      "Folder or file of the data, where they are not generated");
  command->add_option("-o,--out", o->run.out, "Folder of the run (runs/TASK)");
  command->add_option("--seed", o->run.seed, "The first")->capture_default_str();
  command->add_option("--seeds", o->seeds, "How many runs, one after the other")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000));
  command->add_option("--steps", o->run.steps, "Instead of the task's")->check(CLI::PositiveNumber);
  command->add_option("--learning-rate", o->run.learning_rate, "Instead of the task's")
      ->check(CLI::PositiveNumber);
  command->add_option("--model", o->model, "JSON object that replaces options of the network");
  command->add_option("--device", o->device, "cpu or gpu")->capture_default_str();
  auto* resume = command->add_flag("--resume", o->run.resume, "Go on where a run was interrupted");
  command->add_flag("--force", o->run.force, "Replace a run in --out")->excludes(resume);
  command->callback([o, &run] {
    std::string typed = "strata train " + o->task;
    if (!o->run.data.empty()) typed += " --data " + o->run.data;
    if (o->run.seed != 1) typed += fmt::format(" --seed {}", o->run.seed);
    if (o->seeds != 1) typed += fmt::format(" --seeds {}", o->seeds);
    if (o->run.steps) typed += fmt::format(" --steps {}", *o->run.steps);
    if (o->run.learning_rate) typed += fmt::format(" --learning-rate {}", *o->run.learning_rate);
    if (!o->model.empty()) typed += fmt::format(" --model '{}'", o->model);
    if (o->device != "cpu") typed += " --device " + o->device;
    run = [o, typed] { return train_task(*o, typed); };
  });
}

}  // namespace strata::commands
