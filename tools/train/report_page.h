// The report of a run of `strata train`: its curves, and the panels of its task.
#pragma once

#include "tools/train/trainer.h"

namespace strata::train {

// Writes OUT/report.json (the panels) and OUT/report.html. `model`: the trained network. A panel
// that breaks the contract of the report is an error that names the place.
void write_task_report(const TaskEntry& entry, const TaskOptions& options,
                       const std::string& command, Task& task, const TaskResult& result);

}  // namespace strata::train
