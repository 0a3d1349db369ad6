#include "tools/train/trainer.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>

#include "engine/autograd/autograd.h"
#include "engine/io/atomic_file.h"
#include "engine/io/checkpoint.h"
#include "engine/ops.h"
#include "engine/optim/clip.h"
#include "engine/tensor/allocator.h"
#include "tools/events/run_events.h"
#include "tools/study/metrics_log.h"
#include "tools/study/monitor.h"
#include "tools/study/progress.h"
#include "tools/train/report_page.h"

namespace strata::train {
namespace {

using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

constexpr int64_t steps_a_line = 10;
constexpr double seconds_a_checkpoint = 15;

Json to_json(const std::vector<Score>& scores) {
  Json list = Json::array();
  for (const Score& s : scores) {
    Json line{{"name", s.name},
              {"value", s.value},
              {"unit", s.unit},
              {"higher_is_better", s.higher_is_better}};
    if (!std::isnan(s.yardstick))
      line.update({{"yardstick", s.yardstick}, {"yardstick_name", s.yardstick_name}});
    list.push_back(line);
  }
  return list;
}

void write_json(const std::filesystem::path& path, const Json& json) {
  io::write_file(path.string(), json.dump(2) + "\n");
}

// Makes the folder and its config.json; or, to resume, checks that the run in it is the same one.
void prepare_folder(const TaskEntry& entry, const TaskOptions& o, const std::string& command,
                    int64_t total_steps, Caller at) {
  const std::filesystem::path config = o.out / "config.json";
  Json wanted{
      {"task", entry.name}, {"data", o.data}, {"seed", o.seed}, {"device", name_of(o.device)}};
  wanted["model"] = o.model.is_null() ? Json::object() : Json(o.model);
  wanted["steps"] = o.steps ? Json(*o.steps) : Json("default");
  wanted["learning_rate"] = o.learning_rate ? Json(*o.learning_rate) : Json("default");
  if (std::filesystem::exists(config) && !o.force) {
    if (!o.resume)
      fail("train", at,
           "{} holds a run already; use --resume to go on with it or --force to replace it",
           o.out.string());
    std::ifstream file(config);
    Json found = Json::parse(file, nullptr, false);
    if (found.is_discarded())
      fail("train", at, "{} is no JSON; use --force to start anew", config.string());
    found.erase("command");
    found.erase("total_steps");
    if (found != wanted)
      fail("train", at, "{} holds another run ({}); this one is {}", o.out.string(), found.dump(),
           wanted.dump());
    return;
  }
  for (const char* name :
       {"config.json", "checkpoint.safetensors", "best.safetensors", "metrics.jsonl", "result.json",
        "model.safetensors", "report.json", "report.html"})
    std::filesystem::remove(o.out / name);
  std::filesystem::remove_all(events::events_folder(o.out));
  std::filesystem::create_directories(o.out);
  wanted["command"] = command;
  wanted["total_steps"] = total_steps;
  write_json(config, wanted);
}

class Loop {
 public:
  Loop(Task& task, const TaskOptions& options)
      : task_(task), options_(options), total_(task.total_steps()) {
    model_.to(options.device);
    optimizer_ = task.optimizer();
    scheduler_ = std::make_unique<Scheduler>(*optimizer_, task.schedule());
    resume();
    log_ = std::make_unique<study::MetricsLog>(options.out / "metrics.jsonl", log_bytes_);
    events_ = std::make_unique<events::RunEvents>(options.out, events_bytes_);
    log_->copy_to(*events_);
  }

  std::vector<Score> run(const std::string& name) {
    study::Progress progress(name, total_, "steps");
    saved_ = start_ = Clock::now();
    if (step_ == 0) show_weights();
    for (; step_ < total_; progress.update(step_, note_)) {
      update();
      if (step_ % steps_a_line == 0 || step_ == total_) write_line();
      if (step_ % task_.evaluate_every() == 0 || step_ == total_) validate();
      if (std::binary_search(shown_.begin(), shown_.end(), step_)) show_weights();
      const bool due =
          std::chrono::duration<double>(Clock::now() - saved_).count() > seconds_a_checkpoint;
      if ((due && step_ % steps_a_line == 0) || step_ == total_) save();
    }
    progress.finish(note_);
    if (task_.keep_best()) io::load_model((options_.out / "best.safetensors").string(), model_);
    return scores(true);
  }

  double seconds() const {
    return seconds_ + std::chrono::duration<double>(Clock::now() - start_).count();
  }

 private:
  void update() {
    model_.train();
    const std::optional<double> own = task_.update(step_, *optimizer_);
    const double value = own ? *own : descend();
    scheduler_->step();
    if (!std::isfinite(value))
      fail("train", Caller{},
           "the loss became {} at step {}; try a smaller --learning-rate than {}", value, step_,
           optimizer_->learning_rate());
    loss_sum_ += value;
    ++losses_;
    ++step_;
  }

  // One update by autograd and the optimizer; returns the loss.
  double descend() {
    optimizer_->zero_grad();
    Tensor loss = task_.loss(step_);
    loss.backward();
    if (task_.clip_norm() > 0) clip_grad_norm(model_.parameters(), task_.clip_norm());
    optimizer_->step();
    return loss.item();
  }

  void write_line() {
    const double loss = loss_sum_ / losses_;
    loss_sum_ = losses_ = 0;
    note_ = fmt::format("loss {:.4g}{}", loss, shown_score_);
    log_->write(Json{{"kind", "train"},
                     {"step", step_},
                     {"loss", loss},
                     {"learning_rate", optimizer_->learning_rate()},
                     {"seconds", seconds()}});
  }

  void show_weights() {
    events_->weights(model_, step_);
    if (auto parameters = model_.named_parameters(); !parameters.empty())
      events_->filters(parameters.front().tensor, step_);
  }

  std::vector<Score> scores(bool final) {
    NoGrad off;
    model_.eval();
    return task_.evaluate(final);
  }

  void validate() {
    const std::vector<Score> found = scores(false);
    if (found.empty()) return;
    const Score& first = found.front();
    shown_score_ = fmt::format("  {} {:.4g}{}{}", first.name, first.value,
                               first.unit.empty() ? "" : " ", first.unit);
    log_->write(Json{{"kind", "validation"}, {"step", step_}, {"scores", to_json(found)}});
    const bool better =
        std::isnan(best_) || (first.higher_is_better ? first.value > best_ : first.value < best_);
    if (!task_.keep_best() || !better) return;
    best_ = first.value;
    io::save_safetensors((options_.out / "best.safetensors").string(), model_.state_dict(), {});
  }

  io::TrainingState parts() {
    io::TrainingState state;
    state.model = &model_;
    state.optimizer = optimizer_.get();
    state.scheduler = scheduler_.get();
    return state;
  }

  // Only at steps where a line was just written, so that no half-counted losses are lost.
  void save() {
    io::TrainingState state = parts();
    state.extra = {{"step", step_},
                   {"metrics_bytes", log_->size()},
                   {"events_bytes", events_->size()},
                   {"seconds", seconds()},
                   {"score", shown_score_}};
    state.extra["best"] = std::isnan(best_) ? nlohmann::json() : nlohmann::json(best_);
    io::save_checkpoint((options_.out / "checkpoint.safetensors").string(), state);
    saved_ = Clock::now();
  }

  void resume() {
    const auto path = options_.out / "checkpoint.safetensors";
    if (!options_.resume || !std::filesystem::exists(path)) return;
    io::TrainingState state = parts();
    io::load_checkpoint(path.string(), state);
    step_ = state.extra.at("step");
    log_bytes_ = state.extra.at("metrics_bytes");
    events_bytes_ = state.extra.value("events_bytes", int64_t{0});
    seconds_ = state.extra.at("seconds");
    shown_score_ = state.extra.at("score");
    if (!state.extra.at("best").is_null()) best_ = state.extra.at("best");
    fmt::print(stderr, "going on at step {} of {}\n", step_, total_);
  }

  Task& task_;
  const TaskOptions& options_;
  Model& model_ = task_.model();
  const int64_t total_;
  std::unique_ptr<Optimizer> optimizer_;
  std::unique_ptr<Scheduler> scheduler_;
  std::unique_ptr<study::MetricsLog> log_;
  std::unique_ptr<events::RunEvents> events_;
  const std::vector<int64_t> shown_ = study::monitored_steps(total_);  // whose weights are shown
  int64_t step_ = 0, log_bytes_ = 0, events_bytes_ = 0;
  double loss_sum_ = 0, losses_ = 0, seconds_ = 0, best_ = std::numeric_limits<double>::quiet_NaN();
  std::string note_, shown_score_;
  Clock::time_point start_ = Clock::now(), saved_ = start_;
};

}  // namespace

TaskResult run_task(const TaskEntry& entry, const TaskOptions& options, const std::string& command,
                    Caller at) {
  if (!is_available(options.device))
    fail("train", at, "--device gpu: CUDA finds none on this machine; use --device cpu");
  if (!entry.data.empty() && options.data.empty())
    fail("train", at, "'{}' needs --data: {}", entry.name, entry.data);
  manual_seed(options.seed);
  const std::unique_ptr<Task> task = entry.make(options);
  prepare_folder(entry, options, command, task->total_steps(), at);
  TaskResult result;
  Loop loop(*task, options);
  result.scores = loop.run(entry.name);
  result.seconds = loop.seconds();
  result.memory_mib = static_cast<double>(memory::stats(options.device).peak) / 1048576;
  result.parameters = task->model().parameter_count();
  {
    NoGrad off;
    result.lines = task->finish(options.out);
  }
  io::save_safetensors((options.out / "model.safetensors").string(), task->model().state_dict(),
                       {});
  write_json(options.out / "result.json", Json{{"task", entry.name},
                                               {"seed", options.seed},
                                               {"device", name_of(options.device)},
                                               {"parameters", result.parameters},
                                               {"seconds", result.seconds},
                                               {"memory_mib", result.memory_mib},
                                               {"scores", to_json(result.scores)}});
  write_task_report(entry, options, command, *task, result);
  return result;
}

}  // namespace strata::train
