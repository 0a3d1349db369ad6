// The training loop: batches, updates, checkpoints, and the monitor at its steps.
#include <algorithm>
#include <chrono>

#include "engine/autograd/autograd.h"
#include "engine/data/loader.h"
#include "engine/io/checkpoint.h"
#include "engine/ops.h"
#include "engine/optim/clip.h"
#include "tools/events/run_events.h"
#include "tools/study/progress.h"
#include "tools/study/study.h"

namespace strata::study {
namespace {

using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

constexpr int64_t steps_a_line = 10;  // a train line of metrics.jsonl; checkpoints follow one

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

// Everything a run has in its hands while it trains.
class Training {
 public:
  Training(Study& study, Monitor& monitor)
      : study_(study),
        monitor_(monitor),
        optimizer_(study.model->named_parameters(), {.learning_rate = study.recipe.learning_rate,
                                                     .weight_decay = study.recipe.weight_decay}),
        scheduler_(optimizer_, one_cycle(std::max<int64_t>(2, study.total_steps()), 0.25)),
        loader_(*study.train, loader_options(study)),
        watched_(monitored_steps(study.total_steps())) {
    resume();
    log_ = std::make_unique<MetricsLog>(study.file("metrics.jsonl"), log_bytes_);
    events_ = std::make_unique<events::RunEvents>(study.options.out, events_bytes_);
    log_->copy_to(*events_);
  }

  TrainingTime run() {
    int64_t total = study_.total_steps();
    Progress progress("train", total, "steps");
    if (step_ == 0) watch();
    study_.model->to(device_);
    study_.model->train();
    last_checkpoint_ = Clock::now();
    while (step_ < total) {
      auto start = Clock::now();
      update(next_batch());
      time_.training += seconds_since(start);
      ++step_;
      if (step_ % steps_a_line == 0 || step_ == total) write_line();
      bool due = step_ % steps_a_line == 0 &&
                 seconds_since(last_checkpoint_) > study_.options.checkpoint_seconds;
      if (std::binary_search(watched_.begin(), watched_.end(), step_)) watch();
      if (due || step_ == total) save();
      progress.update(step_, fmt::format("epoch {:.1f}  loss {:.3f}  accuracy {:.1f} %", epoch(),
                                         shown_loss_, 100 * shown_accuracy_));
    }
    study_.model->to(Device::cpu);  // where the panels look at it
    progress.finish(fmt::format("{} steps, loss {:.3f}", total, shown_loss_));
    return time_;
  }

 private:
  static LoaderOptions loader_options(const Study& study) {
    const Options& o = study.options;
    LoaderOptions loader;
    loader.batch_size = o.batch;
    loader.drop_last = true;
    loader.seed = o.seed;
    loader.workers = o.workers;
    if (o.augment != "none") loader.augment = augment_for(study.train->name);
    return loader;
  }

  double epoch() const {
    return static_cast<double>(step_) / static_cast<double>(study_.steps_per_epoch());
  }

  Batch next_batch() {
    std::optional<Batch> batch = loader_.next();
    return batch ? *batch : *loader_.next();  // nothing once at the end of an epoch
  }

  void update(const Batch& batch) {
    Tensor images = batch.images.to(device_), labels = batch.labels.to(device_);
    Tensor logits = (*study_.model)(images);
    Tensor loss = cross_entropy(logits, labels, {.label_smoothing = study_.recipe.label_smoothing});
    optimizer_.zero_grad();
    loss.backward();
    clip_grad_norm(study_.model->parameters(), 5.0);
    optimizer_.step();
    scheduler_.step();
    double value = loss.item();
    if (!std::isfinite(value)) {
      fail("study", Caller{},
           "the loss became {} at step {}; try a smaller --learning-rate than {}", value, step_,
           study_.recipe.learning_rate);
    }
    NoGrad off;
    loss_sum_ += value;
    right_ += sum(equal(argmax(logits, 1), labels)).item();
    seen_ += static_cast<double>(batch.labels.numel());
    ++batches_;
  }

  // Loss and accuracy over the batches since the last line.
  void write_line() {
    shown_loss_ = loss_sum_ / batches_;
    shown_accuracy_ = right_ / seen_;
    log_->write(Json{{"kind", "train"},
                     {"step", step_},
                     {"epoch", epoch()},
                     {"loss", shown_loss_},
                     {"accuracy", shown_accuracy_},
                     {"learning_rate", optimizer_.learning_rate()},
                     {"seconds", time_.training + time_.monitoring}});
    loss_sum_ = right_ = seen_ = batches_ = 0;
  }

  void watch() {
    if (study_.options.train_only) return;
    auto start = Clock::now();
    study_.model->to(Device::cpu);  // the monitor computes there
    monitor_.observe(*study_.model, step_, *log_);
    events_->weights(*study_.model, step_);
    events_->filters(monitor_.filters(step_), step_);
    study_.model->to(device_);
    time_.monitoring += seconds_since(start);
  }

  // Only at steps where a train line was just written, so that no half-counted batches are lost.
  void save() {
    io::TrainingState state = parts();
    state.position = {{"epoch", loader_.state().epoch}, {"position", loader_.state().position}};
    state.extra = {{"step", step_},
                   {"metrics_bytes", log_->size()},
                   {"events_bytes", events_->size()},
                   {"training_seconds", time_.training},
                   {"monitoring_seconds", time_.monitoring}};
    io::save_checkpoint(study_.file("checkpoint.safetensors").string(), state);
    last_checkpoint_ = Clock::now();
  }

  void resume() {
    auto path = study_.file("checkpoint.safetensors");
    if (!study_.options.resume || !std::filesystem::exists(path)) return;
    io::TrainingState state = parts();
    io::load_checkpoint(path.string(), state);
    loader_.set_state({state.position.at("epoch"), state.position.at("position")});
    step_ = state.extra.at("step");
    log_bytes_ = state.extra.at("metrics_bytes");
    events_bytes_ = state.extra.value("events_bytes", int64_t{0});
    time_.training = state.extra.at("training_seconds");
    time_.monitoring = state.extra.at("monitoring_seconds");
    fmt::print(stderr, "going on at step {} of {}\n", step_, study_.total_steps());
  }

  io::TrainingState parts() {
    io::TrainingState state;
    state.model = study_.model.get();
    state.optimizer = &optimizer_;
    state.scheduler = &scheduler_;
    return state;
  }

  Study& study_;
  const Device device_ = device_from(study_.options.device);
  Monitor& monitor_;
  AdamW optimizer_;
  Scheduler scheduler_;
  DataLoader loader_;
  std::vector<int64_t> watched_;
  std::unique_ptr<MetricsLog> log_;
  std::unique_ptr<events::RunEvents> events_;
  int64_t step_ = 0, log_bytes_ = 0, events_bytes_ = 0;
  double loss_sum_ = 0, right_ = 0, seen_ = 0, batches_ = 0, shown_loss_ = 0, shown_accuracy_ = 0;
  TrainingTime time_;
  Clock::time_point last_checkpoint_;
};

}  // namespace

TrainingTime train(Study& study, Monitor& monitor) { return Training(study, monitor).run(); }

double accuracy(Layer& model, const Dataset& data) {
  NoGrad off;
  bool training = model.training();
  model.eval();
  int64_t right = 0;
  for (int64_t first = 0; first < data.size(); first += 250) {
    std::vector<int64_t> indices;
    for (int64_t i = first; i < std::min(data.size(), first + 250); ++i) indices.push_back(i);
    Batch batch = data.fill(indices);
    right += static_cast<int64_t>(sum(equal(argmax(model(batch.images), 1), batch.labels)).item());
  }
  model.train(training);
  return static_cast<double>(right) / static_cast<double>(std::max<int64_t>(1, data.size()));
}

}  // namespace strata::study
