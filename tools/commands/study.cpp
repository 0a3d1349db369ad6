// strata study, strata report.
#include "tools/study/study.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "models/registry.h"
#include "tools/commands/commands.h"
#include "tools/report/report.h"

namespace strata::commands {
namespace {

// The command that repeats the run: without what only says how to deal with an older run.
std::string command_of(const study::Options& o) {
  std::string command = fmt::format("strata study --data {} --model {} --seed {} --batch {}",
                                    o.data, o.model, o.seed, o.batch);
  if (o.epochs) command += fmt::format(" --epochs {}", *o.epochs);
  if (o.train_images > 0) command += fmt::format(" --train-images {}", o.train_images);
  if (o.learning_rate) command += fmt::format(" --learning-rate {}", *o.learning_rate);
  if (o.weight_decay) command += fmt::format(" --weight-decay {}", *o.weight_decay);
  if (o.label_smoothing) command += fmt::format(" --label-smoothing {}", *o.label_smoothing);
  if (o.augment != "auto") command += fmt::format(" --augment {}", o.augment);
  if (o.random_labels) command += " --random-labels";
  if (o.probe_images != 3000) command += fmt::format(" --probe-images {}", o.probe_images);
  return command + fmt::format(" --out {}", o.out.string());
}

int study(study::Options options) {
  options.command = command_of(options);
  auto outcome = strata::study::run(options);
  fmt::print("\n");
  for (auto& line : outcome.findings) fmt::print("  {}\n", line);
  if (!outcome.report.empty()) {
    fmt::print("\nReport: {}\n", std::filesystem::absolute(outcome.report).string());
  }
  return 0;
}

}  // namespace

void add_study(CLI::App& app, Command& run) {
  auto options = std::make_shared<study::Options>();
  auto* command =
      app.add_subcommand("study", "Train a network and study its features as they emerge");
  command
      ->add_option("--data", options->data,
                   "terrace[:TASK] (made on the fly), mnist:DIR, fashion:DIR, cifar10:DIR, "
                   "cifar100:DIR or folder:DIR")
      ->capture_default_str();
  command->add_option("--model", options->model, "convnet, resnet20, mlp, ...: see `strata models`")
      ->capture_default_str();
  command->add_option("--out", options->out, "Folder for everything the run leaves")->required();
  command
      ->add_option("--epochs", options->epochs,
                   "Passes over the data; by default what the data needs")
      ->check(CLI::PositiveNumber);
  command->add_option("--batch", options->batch, "Images a step")
      ->capture_default_str()
      ->check(CLI::Range(2, 65536));
  command
      ->add_option("--train-images", options->train_images, "Use at most so many images to train")
      ->check(CLI::PositiveNumber);
  command
      ->add_option("--learning-rate", options->learning_rate, "Highest learning rate of the cycle")
      ->check(CLI::PositiveNumber);
  command
      ->add_option("--weight-decay", options->weight_decay,
                   "Share of the weights that AdamW takes away at learning rate 1")
      ->check(CLI::NonNegativeNumber);
  command
      ->add_option("--label-smoothing", options->label_smoothing,
                   "Share of a target that goes evenly to all classes")
      ->check(CLI::Range(0.0, 0.9));
  command
      ->add_option("--augment", options->augment,
                   "auto: the small changes of images that suit the data set; none")
      ->capture_default_str()
      ->check(CLI::IsMember({"auto", "none"}));
  command->add_flag("--random-labels", options->random_labels,
                    "Train on labels that mean nothing: a control for `strata scores`");
  command->add_option("--seed", options->seed, "The same seed gives the same run")
      ->capture_default_str();
  command->add_option("--device", options->device, "cpu or gpu")->capture_default_str();
  command->add_option("--workers", options->workers, "Threads that prepare batches")
      ->capture_default_str()
      ->check(CLI::Range(0, 64));
  command
      ->add_option("--probe-images", options->probe_images, "Held-out images that the monitor uses")
      ->capture_default_str()
      ->check(CLI::Range(60, 1000000));
  command
      ->add_option(
          "--control-epochs", options->control_epochs,
          "Epochs of the control, the same network on 500 images with random labels; 0: none")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  command->add_flag("--train-only", options->train_only, "No monitor and no report");
  command
      ->add_option("--checkpoint-seconds", options->checkpoint_seconds,
                   "Seconds between checkpoints")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  auto* resume =
      command->add_flag("--resume", options->resume,
                        "Go on where a run in --out was interrupted; start if there is none");
  command->add_flag("--force", options->force, "Replace a run in --out")->excludes(resume);
  command->callback([options, &run] { run = [options] { return study(*options); }; });
}

void add_report(CLI::App& app, Command& run) {
  auto folder = std::make_shared<std::string>();
  auto* command = app.add_subcommand("report", "Write report.html again from what a run left");
  command->add_option("RUN", *folder, "Folder of the run")->required();
  command->callback([folder, &run] {
    run = [folder] {
      fmt::print("Report: {}\n", std::filesystem::absolute(report::write_report(*folder)).string());
      return 0;
    };
  });
}

void add_models(CLI::App& app, Command& run) {
  auto* command = app.add_subcommand("models", "List the networks there are");
  command->callback([&run] {
    run = [] {
      for (auto& entry : model_entries()) fmt::print("{:<12} {}\n", entry.name, entry.about);
      return 0;
    };
  });
}

}  // namespace strata::commands
