// An experiment: a claim of representation learning, how it is tested, and what would have faked
// it. `strata experiment NAME` runs one (tools/experiments/runner.h); each has a file beside this
// one.
//
// An experiment is two functions. run_seed() does everything that depends on a seed and returns
// numbers; judge() makes of the numbers of all seeds the measures, the pictures and the verdict, by
// thresholds that stand in the experiment's file and were fixed before it was run on the seeds that
// count. The runner keeps each seed's numbers in a file, so that an interrupted experiment goes on
// where it stopped and a verdict can be drawn again.
#pragma once

#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "engine/tensor/device.h"
#include "tools/draw/figure.h"
#include "tools/experiments/statistics.h"

namespace strata::experiments {

using Json = nlohmann::ordered_json;

enum class Budget { small, full };  // two processor cores and about ten minutes; a GPU

// A lie planted on purpose, which must end in "not supported" or an error: tests of the tests.
enum class Lie { none, shuffled_labels, untrained, moving_layers };

struct Context {
  uint64_t seed = 1;
  Budget budget = Budget::small;
  Device device = Device::cpu;
  Lie lie = Lie::none;
  std::filesystem::path folder;  // of this seed, for what is too large for its numbers
  std::function<void(const std::string&, double)>
      progress;  // what is done now, share done in [0, 1]

  void say(const std::string& what, double share) const {
    if (progress) progress(what, share);
  }
};

// One number of the claim, over seeds.
struct Measure {
  std::string name;        // "rank correlation of level and centre of gravity"
  std::string definition;  // how it is computed, in a sentence
  std::vector<double> per_seed;
  std::string unit;
  std::string threshold;  // as fixed beforehand: "at least .9 in every seed"
  bool decisive = true;   // counts for the verdict
  bool passed = false;
  std::string published;            // the figure of the literature and where it stands; empty: none
  std::optional<double> effect, p;  // where it is a comparison; p as corrected
};

// A way in which a careless version would have found the claim, and the control that excludes it.
struct Control {
  std::string fake;      // "probing more dimensions at later layers"
  std::string excluded;  // "every layer is reduced to 128 dimensions"
  std::string measured;  // what the control gave: "untrained network: .44 to .20"
  bool passed = true;
};

struct NamedFigure {
  std::string name;     // of its file, without extension
  std::string caption;  // what it shows, with its control
  draw::Figure figure;
};

enum class Verdict { supported, in_part, not_supported };
const char* name_of(Verdict verdict);

struct Result {
  Verdict verdict = Verdict::not_supported;
  std::string answer;  // a sentence with the decisive number
  std::string why;     // which thresholds were met and which not
  std::vector<Measure> measures;
  std::vector<Control> controls;
  std::vector<NamedFigure> pictures;  // the first is the one that shows it
};

// The verdict by the rule all experiments share: supported when every decisive measure and every
// control passed, not supported when no decisive measure or some control did not, in part
// otherwise. Writes verdict and why.
void conclude(Result& result);

struct Experiment {
  int number = 0;                    // of E1 to E15
  std::string name;                  // "hierarchy"
  std::string question;              // "Do deeper layers represent higher-level features?"
  std::string claim;                 // in plain words
  std::string protocol;              // data, networks, steps, controls, statistics: a paragraph
  std::vector<std::string> sources;  // papers
  int64_t seeds = 5;                 // by default
  double minutes = 10;               // of all seeds at the small budget on two cores, measured
  double memory_mib = 0;             // measured
  std::function<Json(const Context&)> run_seed;
  std::function<Result(const std::vector<Json>& seeds, Budget budget)> judge;
};

// E1 to E15.
const std::vector<Experiment>& experiments();
// By name or number ("hierarchy", "E1", "1"). An unknown one is an error that lists those there
// are.
const Experiment& experiment_named(const std::string& name, Caller at = Caller::here());

// A measure whose threshold is a predicate on every seed, or on the mean over seeds.
Measure in_every_seed(std::string name, std::string definition, std::vector<double> per_seed,
                      double at_least, std::string unit = "");
Measure at_most_in_every_seed(std::string name, std::string definition,
                              std::vector<double> per_seed, double at_most, std::string unit = "");
Measure on_average(std::string name, std::string definition, std::vector<double> per_seed,
                   double at_least, std::string unit = "");
Measure at_most_on_average(std::string name, std::string definition, std::vector<double> per_seed,
                           double at_most, std::string unit = "");
// A number that is shown and decides nothing.
Measure shown(std::string name, std::string definition, std::vector<double> per_seed,
              std::string unit = "");

}  // namespace strata::experiments
