// What the benchmarks of training and inference share: a case is a model, its data and its
// optimizer; peaks of memory are counters of the report.
#pragma once

#include <benchmark/benchmark.h>

#include <fstream>
#include <functional>
#include <string>

#include "engine/ops.h"
#include "engine/optim.h"
#include "engine/tensor/allocator.h"

namespace strata {

// The most memory the process has had, in MiB (VmHWM). Compare only runs of one case a process.
inline double process_peak() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("VmHWM:", 0) == 0) return std::stod(line.substr(6)) / 1024;
  }
  return 0;
}

// Times `step` after a few to warm up; each iteration of the benchmark is one step. On a GPU the
// host runs ahead for a round of steps, as it does in training, and the round waits for its end.
inline void time_steps(benchmark::State& state, const std::function<void()>& step, int64_t examples,
                       Device device = Device::cpu) {
  const int64_t round = device == Device::gpu ? 10 : 1;
  for (int i = 0; i < 3; ++i) step();
  synchronize(device);
  while (state.KeepRunningBatch(round)) {
    for (int64_t i = 0; i < round; ++i) step();
    synchronize(device);
  }
  state.counters["examples"] = benchmark::Counter(static_cast<double>(examples),
                                                  benchmark::Counter::kIsIterationInvariantRate);
  state.counters["peak_mib"] = process_peak();
  state.counters["tensors_mib"] = static_cast<double>(memory::stats(device).peak) / 1048576;
}

}  // namespace strata
