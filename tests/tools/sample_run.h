// A run folder with invented numbers, for the tests of the report. No network made any of it, and
// its title says so.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

namespace strata::report {

struct SampleOptions {
  std::string label = "object";      // title of the class factor; tests put hostile text here
  std::string first_value = "boat";  // name of its first value
  bool classes_only = false;         // as MNIST: one factor of ten values, no level
  int points = 400;                  // images of the embedding
};

nlohmann::json sample_config(const SampleOptions& options = {});
std::string sample_metrics(const SampleOptions& options = {});  // the text of metrics.jsonl
nlohmann::json sample_panels(const SampleOptions& options = {});

// Writes config.json, metrics.jsonl and report.json into the folder, which is made if need be.
void write_sample_run(const std::filesystem::path& folder, const SampleOptions& options = {});

}  // namespace strata::report
