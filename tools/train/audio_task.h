// What the audio tasks share: a network over log-mel features, and how it is trained.
#pragma once

#include "tools/train/audio_features.h"
#include "tools/train/task.h"
#include "tools/train/view_audio.h"

namespace strata::train {

class AudioTask : public Task {
 public:
  // `network` by its name in models/registry.h with the options `model`; features are standardised
  // by those of `sample` [N, T].
  AudioTask(const TaskOptions& options, const std::string& network, nlohmann::json model,
            const Tensor& sample, int64_t steps, double learning_rate);

  Model& model() override { return *model_; }
  int64_t total_steps() const override { return options_.steps.value_or(steps_); }
  // AdamW; matrices decay, biases and norms do not.
  std::unique_ptr<Optimizer> optimizer() override;
  Schedule schedule() const override { return one_cycle(total_steps(), 0.2); }
  double clip_norm() const override { return 1; }
  // Writes features.json: how to compute what the network takes.
  std::vector<std::string> finish(const std::filesystem::path& out) override;
  // Held-out sounds, as heard() gives them.
  nlohmann::json panels(const Untrained& untrained) override;

 protected:
  // A few sounds for the report; none: no panel.
  virtual std::vector<HeardSound> heard() { return {}; }
  // Logits of one sound, [1, classes] or [1, steps, classes], in words, and the number [1] that
  // this answer stands on: of a pooled network its largest logit.
  virtual std::string answer(const Tensor& logits) const = 0;
  virtual Tensor answer_score(const Tensor& logits) const;
  // Logits of sounds [N, T], on the task's device.
  Tensor logits(const Tensor& waves);
  // The same of features masked (SpecAugment) as is the turn of training step `step`.
  Tensor masked_logits(const Tensor& waves, int64_t step);

  TaskOptions options_;

 private:
  AudioFeatures features_;
  int64_t steps_;
  double rate_;
  std::unique_ptr<Model> model_;
};

// Generated phrases (engine/data/terrace_audio.h).
std::unique_ptr<Task> phrases_task(const TaskOptions& options);

}  // namespace strata::train
