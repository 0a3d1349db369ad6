// A task: a network, what it is trained on, and how its success is scored. `strata train NAME` runs
// one (tools/train/trainer.h); each domain has a file of them beside this one, and
// tools/train/tasks.cpp lists all.
//
// A batch is a function of (seed, step) alone, so that a run that was interrupted goes on to the
// same bits with nothing but the step to remember.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "engine/optim/optimizer.h"
#include "engine/optim/schedule.h"
#include "models/model.h"

namespace strata::train {

// What the user says. What is not given is what the task needs.
struct TaskOptions {
  std::string
      data;  // a folder or file; empty: generated data, or an error that says what is needed
  std::filesystem::path out;
  nlohmann::json model;  // replaces defaults of the task's network (models/registry.h)
  std::optional<int64_t> steps;
  std::optional<double> learning_rate;
  uint64_t seed = 1;
  Device device = Device::cpu;
  bool resume = false;  // go on where a run in `out` was interrupted, or start
  bool force = false;   // replace a run in `out`
};

// A number that a run is judged by. `yardstick` is what is to be beaten ("4-gram model, 2.499
// bits"); NaN: none.
struct Score {
  std::string name;  // "test accuracy"
  double value = 0;
  std::string unit;  // "%", "bits per character"
  bool higher_is_better = true;
  std::string yardstick_name;
  double yardstick = std::numeric_limits<double>::quiet_NaN();
};

class Task {
 public:
  virtual ~Task() = default;
  virtual Model& model() = 0;
  virtual int64_t total_steps() const = 0;
  // Called once, when the parameters lie on the device and are what training starts from.
  virtual std::unique_ptr<Optimizer> optimizer() = 0;
  virtual Schedule schedule() const { return constant_schedule(); }
  // Gradients are clipped to this norm; 0: never.
  virtual double clip_norm() const { return 0; }
  // The loss of batch `step`: forward only, recorded. The model is in training mode.
  virtual Tensor loss(int64_t step) = 0;
  // For tasks that know their gradients without autograd (few rows of a large table): makes update
  // `step` by itself and returns its loss. Nothing: loss(), backward and the optimizer's step() do.
  virtual std::optional<double> update(int64_t step, Optimizer& optimizer) {
    (void)step, (void)optimizer;
    return std::nullopt;
  }
  // Scores on held-out data, the deciding one first; called every evaluate_every() steps with the
  // validation split and, with `final`, once at the end with the test split. The model is in
  // evaluation mode, without gradients.
  virtual std::vector<Score> evaluate(bool final) = 0;
  virtual int64_t evaluate_every() const { return std::max<int64_t>(1, total_steps() / 10); }
  // Whether the weights with the best first validation score are the ones that are kept in the end.
  virtual bool keep_best() const { return false; }
  // Writes what else is worth keeping into the run folder at the end (a sample of text, a
  // vocabulary), and returns lines to print.
  virtual std::vector<std::string> finish(const std::filesystem::path& out) {
    (void)out;
    return {};
  }
  // The network as it was before training, made anew when first asked for: the control.
  using Untrained = std::function<Model&()>;
  // What the report shows of this task besides its curves: members of report.json
  // (tools/report/CONTRACT.md), an empty object for nothing. Called once at the end; the model is
  // in evaluation mode, without gradients.
  virtual nlohmann::json panels(const Untrained& untrained) {
    (void)untrained;
    return nlohmann::json::object();
  }
};

struct TaskEntry {
  std::string name;   // "shakespeare"
  std::string about;  // one line: the network, the data, the score
  std::string data;   // what --data must name; empty: nothing, the data are generated
  std::function<std::unique_ptr<Task>(const TaskOptions&)> make;
  // For tasks whose runs `strata inspect`, `embed` and the like can open: the network's name in
  // models/registry.h, and what they show it, as open_dataset takes it.
  std::string network = {}, images = {};
};

// All of them, in the order of their domains.
const std::vector<TaskEntry>& tasks();
// An unknown name is an error that lists those there are.
const TaskEntry& task_named(const std::string& name, Caller at = Caller::here());

// A model's parameters for AdamW: matrices decay, biases and norms (rank 0 and 1) do not.
std::vector<ParameterGroup> only_matrices_decay(Model& model);

}  // namespace strata::train
