// Runs an experiment seed by seed and writes what it found.
//
// A folder holds seed-<n>.json (the numbers of a seed, with what they were made by), result.json,
// the pictures as PNG and report.html, one self-contained page. A seed whose file is there, made by
// the same experiment, budget and lie, is not run again.
#pragma once

#include "tools/experiments/experiment.h"

namespace strata::experiments {

struct RunOptions {
  int64_t seeds = 0;  // 0: what the experiment needs
  uint64_t first_seed = 1;
  Budget budget = Budget::small;
  Device device = Device::cpu;
  Lie lie = Lie::none;
  std::filesystem::path out;
  bool force = false;  // run seeds again whose files are there
};

struct Run {
  const Experiment* experiment = nullptr;
  Result result;
  std::vector<uint64_t> seeds;
  double seconds = 0;  // of all seeds, over all sessions
  double memory_mib =
      0;  // the most the process had, of the sessions that ran a seed; 0 where none is known
  std::string command;
  std::filesystem::path folder;
};

// The command that repeats it.
std::string command_of(const Experiment& experiment, const RunOptions& options);
// Runs what is missing, judges, writes. Shows progress on a terminal.
Run run(const Experiment& experiment, const RunOptions& options, Caller at = Caller::here());

// What result.json holds.
Json to_json(const Run& run);

// One self-contained page of one run; and the page that lists several, with links to their folders.
std::string render_report(const Run& run);
std::string render_index(const std::vector<Run>& runs);

}  // namespace strata::experiments
