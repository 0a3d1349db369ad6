// RunState: what is known of a run while it goes, read from its folder: config.json, and the lines
// of metrics.jsonl (tools/report/CONTRACT.md) as they are appended. Runs of `strata study` and of
// `strata train`.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/error.h"
#include "tools/watch/line_plot.h"

namespace strata::watch {

enum class Phase { training, finishing, ended };  // finishing: a study makes its panels

class RunState {
 public:
  // A folder that is not there or that holds no run is an error.
  explicit RunState(std::filesystem::path folder, Caller at = Caller::here());

  // Reads what was appended since; a line that is not whole yet waits. A file that became shorter
  // (a resumed run cuts it back) is read from its beginning. True when there was something new.
  bool update();

  std::string title() const { return title_; }
  std::string folder() const { return folder_.string(); }
  bool has_metrics() const { return lines_ > 0; }
  Phase phase() const;
  int64_t step() const { return step_; }
  std::optional<int64_t> total() const { return total_; }
  // Steps a second over the last lines, and the seconds that the rest takes at that rate.
  std::optional<double> rate() const;
  std::optional<double> seconds_left() const;
  double seconds() const { return seconds_; }  // of training, over all sessions
  double quiet_seconds() const;                // since metrics.jsonl last grew

  // "loss", then what is measured in training or on held-out data: "accuracy", a task's first
  // score. Each with its lines: "training", "held-out".
  const std::vector<std::pair<std::string, std::vector<Series>>>& curves() const { return curves_; }
  // A task's latest scores: name, value with its unit.
  const std::vector<std::pair<std::string, std::string>>& scores() const { return scores_; }
  // The latest probe accuracies of the trained network.
  const std::vector<std::string>& layers() const { return layers_; }
  const std::vector<std::string>& factors() const { return factors_; }
  std::optional<double> probe(const std::string& layer, const std::string& factor) const;
  bool has_probes() const { return !probes_.empty(); }
  int64_t probe_step() const { return probe_step_; }

 private:
  void read_config();
  void forget();
  void take(const nlohmann::json& line);
  void add(const std::string& curve, const std::string& series, double x, const nlohmann::json& y);

  std::filesystem::path folder_;
  std::string title_;
  bool study_ = false;
  std::optional<int64_t> total_;
  std::vector<std::string> layers_, factors_;
  int64_t read_bytes_ = 0, lines_ = 0, step_ = 0, probe_step_ = 0;
  double seconds_ = 0;
  std::vector<std::pair<double, double>> recent_;  // seconds and step of the last train lines
  std::vector<std::pair<std::string, std::vector<Series>>> curves_;
  std::vector<std::pair<std::string, std::string>> scores_;
  std::map<std::pair<std::string, std::string>, double> probes_;
};

}  // namespace strata::watch
