// Control tasks (Hewitt and Liang 2019, "Designing and interpreting probes with control tasks"): a
// probe that can learn labels which mean nothing says little about what it probes.
//
// Every type (a word, an image, whatever repeats) gets a label of its own by chance. Only a probe
// that memorises types can do well at it. Selectivity is the accuracy at the task minus that at the
// control: what is left is in the representation, not in the probe.
#pragma once

#include "tools/introspect/representation/probe.h"

namespace strata::introspect {

// The control of `task`, named "NAME (control)". `train_types`, `validation_types`: the type of
// each row, at least 0. Labels of the types are a permutation of the types' own first labels (types
// of the training rows among themselves, and those seen in validation only likewise), so that a
// constant answer is worth as much as in the task when types are equally frequent.
ProbeTask control_task(const ProbeTask& task, const std::vector<int64_t>& train_types,
                       const std::vector<int64_t>& validation_types, uint64_t seed = 1);

struct Selectivity {
  ProbeResult task, control;
  double value() const { return task.validation_accuracy - control.validation_accuracy; }
};
Selectivity selectivity(const Tensor& train, const Tensor& validation, const ProbeTask& task,
                        const std::vector<int64_t>& train_types,
                        const std::vector<int64_t>& validation_types,
                        const ProbeOptions& options = {}, uint64_t seed = 1);

}  // namespace strata::introspect
