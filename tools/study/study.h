// strata study: trains a layered network and studies its features as they emerge.
//
// A run folder holds config.json (everything needed to repeat it), metrics.jsonl (a line at a
// time), events/ (the same and more for TensorBoard), checkpoint.safetensors, monitor/ (what the
// monitor keeps of each step), at the end
// report.json and the self-contained report.html, and random_labels/: a run of the same network on
// a few of the images with labels that mean nothing, the control of explanations.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "engine/data/dataset.h"
#include "models/model.h"
#include "tools/study/metrics_log.h"
#include "tools/study/monitor.h"
#include "tools/study/recipe.h"

namespace strata::study {

struct Options {
  std::string data = "terrace", model = "convnet", device = "cpu";
  std::filesystem::path out;
  // What is not given here is what the data and the model need (tools/study/recipe.h).
  std::optional<int64_t> epochs;
  std::optional<double> learning_rate, weight_decay, label_smoothing;
  int64_t batch = 64;
  int64_t train_images = 0;      // at most; 0: all there are
  std::string augment = "auto";  // auto: what suits the data set; none
  bool random_labels = false;  // of the training images: the control of tools/study/random_labels.h
  uint64_t seed = 1;
  int workers = 0;               // threads that prepare batches
  bool resume = false;           // go on where a run in `out` was interrupted, or start
  bool force = false;            // replace a run in `out`
  int64_t probe_images = 3000;   // held-out images of the monitor: two thirds to fit, one to score
  bool train_only = false;       // no monitor, no report
  int64_t control_epochs = 100;  // of the control with random labels; 0: no control
  double checkpoint_seconds = 15;
  std::string command;  // as typed, for the report
};

// What the parts of a study share.
struct Study {
  Options options;
  Recipe recipe;
  std::unique_ptr<Dataset> train, validation, test;
  std::unique_ptr<Model> model;
  std::vector<std::string> layers;  // studied, from input to output
  nlohmann::ordered_json config;

  std::filesystem::path file(const char* name) const { return options.out / name; }
  int64_t steps_per_epoch() const;
  int64_t total_steps() const;
  // The monitored steps whose weights are kept for the film of the panels: a dozen, fewer where
  // that would be more than 2 GiB on disk.
  std::vector<int64_t> film() const;
  // A network of the same architecture and initial weights, never trained: the control.
  std::unique_ptr<Model> untrained() const;
};

// Opens the data, makes the model, writes config.json; or, to resume, checks that the run in the
// folder is the same one.
Study prepare(const Options& options);

// Trains from the last checkpoint (or from the start) to the end, with the monitor watching at its
// steps. Returns the seconds that training and monitoring took, over all sessions.
struct TrainingTime {
  double training = 0, monitoring = 0;
};
TrainingTime train(Study& study, Monitor& monitor);

// Share of `data` that the model classifies rightly, in evaluation mode.
double accuracy(Layer& model, const Dataset& data);

// The whole job. Returns what the command line prints at the end: three findings.
struct Outcome {
  std::filesystem::path report;
  std::vector<std::string> findings;
};
Outcome run(const Options& options);

}  // namespace strata::study
