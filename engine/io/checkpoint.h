// Checkpoints: everything that a training run needs to go on to the same bits as if it had not
// stopped, in one safetensors file that appears whole or not at all (AtomicFile).
//   tensors    model.<name>, optimizer.<name>.<state>, average.<name>
//   metadata   format: "strata checkpoint 1"; state: JSON with the optimizer's numbers, the
//              schedule's step, the generator's seed and offset, the position in the data, extras
// The parts a run does not have are left out; other programs can read the model's tensors.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "engine/io/safetensors.h"
#include "engine/optim/ema.h"
#include "engine/optim/optimizer.h"
#include "engine/optim/schedule.h"

namespace strata::io {

// What to save, or to load into; null parts are left out. The state of the thread's default
// generator is always part of it.
struct TrainingState {
  Module* model = nullptr;
  Optimizer* optimizer = nullptr;
  Scheduler* scheduler = nullptr;
  MovingAverage* average = nullptr;
  nlohmann::json position;  // in the data, as the loader says it
  nlohmann::json extra;     // whatever else the caller wants back: epoch, configuration
};

void save_checkpoint(const std::string& path, const TrainingState& state,
                     Caller at = Caller::here());

// Loads the parts that `state` points at, sets position, extra and the default generator. A
// difference in names, shapes or kind of optimizer, or a part that the file lacks, is an error that
// lists them all; nothing changes then. Parts of the file that `state` has no place for are
// ignored.
void load_checkpoint(const std::string& path, TrainingState& state, Caller at = Caller::here());
// Only the model's parameters and buffers, from a checkpoint or from a safetensors file of a state
// dict.
void load_model(const std::string& path, Module& model, Caller at = Caller::here());

}  // namespace strata::io
