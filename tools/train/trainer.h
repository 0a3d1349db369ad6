// Runs a task: the loop, metrics.jsonl, checkpoints, resuming, progress.
//
// A run folder holds config.json (everything needed to repeat it), metrics.jsonl,
// events/ (the same and more for TensorBoard), checkpoint.safetensors, best.safetensors where the
// task keeps the best weights, and at the end result.json (scores, seconds, peak memory),
// model.safetensors, and the report: report.json, report.html.
#pragma once

#include "tools/train/task.h"

namespace strata::train {

struct TaskResult {
  std::vector<Score> scores;
  double seconds = 0;              // of training and evaluation, over all sessions
  double memory_mib = 0;           // the most that tensors took
  int64_t parameters = 0;          // of the network
  std::vector<std::string> lines;  // what the task has to say
};

// `command`: as typed. A run folder that holds another run, a loss that is not finite, a full disk:
// errors that say what to do, and nothing that was saved is lost.
TaskResult run_task(const TaskEntry& entry, const TaskOptions& options, const std::string& command,
                    Caller at = Caller::here());

}  // namespace strata::train
