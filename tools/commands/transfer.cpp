// strata transfer: a trained network put to work on other tasks.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <memory>

#include "tools/commands/commands.h"
#include "tools/train/trainer.h"
#include "tools/transfer/transfer.h"

namespace strata::commands {
namespace {

struct Options {
  transfer::TransferOptions transfer;
  train::TaskOptions run;
  std::string device = "cpu", typed;
};

int run_transfer(const Options& o) {
  train::TaskOptions run = o.run;
  run.data = o.transfer.data;
  run.device = device_from(o.device);
  run.model = transfer::describe(o.transfer);
  const train::TaskResult r = train::run_task(transfer::transfer_task(o.transfer), run, o.typed);
  fmt::print("transfer: {} parameters, {:.0f} s, {:.0f} MiB of tensors\n", r.parameters, r.seconds,
             r.memory_mib);
  for (const train::Score& s : r.scores) {
    fmt::print("  {} {:.4g} {}", s.name, s.value, s.unit);
    fmt::print("{}\n", std::isnan(s.yardstick)
                           ? ""
                           : fmt::format(" ({}: {:.4g})", s.yardstick_name, s.yardstick));
  }
  for (const std::string& line : r.lines) fmt::print("  {}\n", line);
  return 0;
}

std::string typed(const Options& o) {
  const transfer::TransferOptions& t = o.transfer;
  std::string text =
      fmt::format("strata transfer {} --data {}", t.from.checkpoint.string(), t.data);
  auto add = [&](const char* name, const std::string& value) {
    if (!value.empty()) text += fmt::format(" --{} {}", name, value);
  };
  add("from-model", t.from.model);
  add("from-data", t.from.data);
  add("freeze-to", t.freeze_to);
  add("copy-to", t.copy_to);
  add("head", t.head);
  if (t.layer_decay != 1) add("layer-decay", fmt::format("{}", t.layer_decay));
  add("tasks", fmt::format("{}", fmt::join(t.tasks, ",")));
  if (t.batch != 64) add("batch", fmt::format("{}", t.batch));
  if (t.train_images) add("train-images", fmt::format("{}", t.train_images));
  if (o.run.steps) add("steps", fmt::format("{}", *o.run.steps));
  if (o.run.learning_rate) add("learning-rate", fmt::format("{}", *o.run.learning_rate));
  if (o.run.seed != 1) add("seed", fmt::format("{}", o.run.seed));
  if (o.device != "cpu") add("device", o.device);
  return text;
}

}  // namespace

void add_transfer(CLI::App& app, Command& run) {
  auto o = std::make_shared<Options>();
  transfer::TransferOptions& t = o->transfer;
  auto* command = app.add_subcommand(
      "transfer", "Put a trained network to work on other tasks: freeze layers, replace the head");
  command->add_option("RUN", t.from.checkpoint, "Folder of a run of strata study, or a checkpoint")
      ->required();
  command->add_option("--from-model", t.from.model,
                      "Name of its network, where no config.json says");
  command->add_option("--from-data", t.from.data, "What it was trained on, where none says");
  command->add_option("--data", t.data, "What to learn now: as strata study --data")->required();
  command->add_option("--tasks", t.tasks, "Factors of the data to learn at once, or class")
      ->delimiter(',')
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command->add_option("--freeze-to", t.freeze_to,
                      "The last layer that stays as it is; none by default");
  command->add_option("--copy-to", t.copy_to,
                      "The last layer that is copied, the rest starts anew; all but the head");
  command->add_option("--head", t.head, "Module that is replaced; the last stage");
  command
      ->add_option("--layer-decay", t.layer_decay,
                   "Learning rate of a layer over that of the one above")
      ->capture_default_str();
  command->add_option("--batch", t.batch, "Images a step")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  command->add_option("--train-images", t.train_images, "At most so many; 0: all")
      ->check(CLI::NonNegativeNumber);
  command->add_option("--steps", o->run.steps, "Instead of six epochs")->check(CLI::PositiveNumber);
  command->add_option("--learning-rate", o->run.learning_rate, "Of the head, instead of .001")
      ->check(CLI::PositiveNumber);
  command->add_option("--seed", o->run.seed, "Of the head, the data and their order")
      ->capture_default_str();
  command->add_option("--device", o->device, "cpu or gpu")->capture_default_str();
  command->add_option("-o,--out", o->run.out, "Folder of the run")->required();
  auto* resume = command->add_flag("--resume", o->run.resume, "Go on where a run was interrupted");
  command->add_flag("--force", o->run.force, "Replace a run in --out")->excludes(resume);
  command->callback([o, &run] {
    o->typed = typed(*o);
    run = [o] { return run_transfer(*o); };
  });
}

}  // namespace strata::commands
