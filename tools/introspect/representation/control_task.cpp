#include "tools/introspect/representation/control_task.h"

#include <map>

#include "engine/ops.h"

namespace strata::introspect {
namespace {

using Labels = std::vector<int64_t>;

// Gives the types in `rows` that have no label yet a permutation of their first labels.
void assign(const Labels& types, const Labels& labels, Generator& generator,
            std::map<int64_t, int64_t>& label_of) {
  Labels fresh, pool;
  for (size_t i = 0; i < types.size(); ++i) {
    if (label_of.emplace(types[i], -1).second) {
      fresh.push_back(types[i]);
      pool.push_back(labels[i]);
    }
  }
  auto order = randperm(static_cast<int64_t>(pool.size()), &generator).to_vector<int64_t>();
  for (size_t i = 0; i < fresh.size(); ++i) {
    label_of[fresh[i]] = pool[static_cast<size_t>(order[i])];
  }
}

}  // namespace

ProbeTask control_task(const ProbeTask& task, const Labels& train_types,
                       const Labels& validation_types, uint64_t seed) {
  if (train_types.size() != task.train.size() ||
      validation_types.size() != task.validation.size()) {
    fail("control_task", Caller{}, "'{}' has {} and {} labels, but {} and {} types were given",
         task.name, task.train.size(), task.validation.size(), train_types.size(),
         validation_types.size());
  }
  Generator generator(seed);
  std::map<int64_t, int64_t> label_of;
  assign(train_types, task.train, generator, label_of);
  assign(validation_types, task.validation, generator, label_of);
  ProbeTask control{task.name + " (control)", task.classes, {}, {}};
  for (int64_t type : train_types) control.train.push_back(label_of[type]);
  for (int64_t type : validation_types) control.validation.push_back(label_of[type]);
  return control;
}

Selectivity selectivity(const Tensor& train, const Tensor& validation, const ProbeTask& task,
                        const Labels& train_types, const Labels& validation_types,
                        const ProbeOptions& options, uint64_t seed) {
  auto results = fit_probes(
      train, validation, {task, control_task(task, train_types, validation_types, seed)}, options);
  return {results[0], results[1]};
}

}  // namespace strata::introspect
