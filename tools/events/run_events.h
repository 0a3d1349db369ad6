// RunEvents: RUN/events/, the event file of a training run (`tensorboard --logdir RUN`).
//
// Curves are the numbers of metrics.jsonl, line by line; pictures are the filters of the first
// layer; histograms are those of each parameter. Cost: a few hundred bytes a line; a pass over the
// weights where they are asked for.
#pragma once

#include <nlohmann/json.hpp>

#include "engine/nn/module.h"
#include "tools/events/event_file.h"

namespace strata::events {

class RunEvents {
 public:
  static constexpr int64_t whole = -1;
  // `keep`: bytes that the checkpoint of a resumed run remembers from size(); whole: all
  // there are; 0 starts afresh.
  RunEvents(const std::filesystem::path& run, int64_t keep, Caller at = Caller::here());

  // The numbers of a line of metrics.jsonl (tools/report/CONTRACT.md): a train line becomes
  // "train/loss", a probe "probe hue/conv1" or, for a control, "probe hue, untrained/conv1".
  void line(const nlohmann::ordered_json& line);
  // "weights/NAME" for each parameter. Of more than a million values evenly spaced ones are
  // counted.
  void weights(const Module& model, int64_t step);
  // Filters [count, H, W, C] with C 1 or 3, at most 64 of them, as one picture: each from minus to
  // plus its own largest magnitude, zero grey. An undefined tensor writes nothing.
  void filters(const Tensor& filters, int64_t step);
  int64_t size() const { return file_.size(); }

 private:
  EventFile file_;
};

// The folder of a run's events.
std::filesystem::path events_folder(const std::filesystem::path& run);

}  // namespace strata::events
