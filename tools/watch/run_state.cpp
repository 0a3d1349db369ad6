#include "tools/watch/run_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <limits>

#include "tools/report/run_files.h"

namespace strata::watch {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr size_t rate_lines = 20;  // train lines that the rate is taken over

}  // namespace

RunState::RunState(fs::path folder, Caller at) : folder_(std::move(folder)) {
  if (!fs::is_directory(folder_))
    fail("watch", at, "there is no folder {}; give the --out of a run of strata study or train",
         folder_.string());
  if (!fs::exists(folder_ / "config.json"))
    fail("watch", at, "{} holds no run: it has no config.json", folder_.string());
  read_config();
}

void RunState::read_config() {
  const Json config = report::read_json(folder_ / "config.json");
  study_ = config.contains("format");
  if (!study_) {
    title_ = fmt::format("{}, seed {}", config.value("task", "a run"), config.value("seed", 0));
    if (config.contains("total_steps")) total_ = config["total_steps"].get<int64_t>();
    return;
  }
  title_ = fmt::format("{}, seed {}", config.value("title", "a run"), config.value("seed", 0));
  const Json& training = config.at("training");
  const int64_t batch = training.at("batch"), epochs = training.at("epochs");
  total_ = epochs * std::max<int64_t>(1, config.at("data").at("train").get<int64_t>() / batch);
  for (const Json& layer : config.at("model").at("layers")) layers_.push_back(layer.at("name"));
  for (const Json& factor : config.at("factors")) factors_.push_back(factor.at("name"));
}

void RunState::forget() {
  read_bytes_ = lines_ = step_ = probe_step_ = 0;
  seconds_ = 0;
  recent_.clear();
  curves_.clear();
  scores_.clear();
  probes_.clear();
}

bool RunState::update() {
  const fs::path path = folder_ / "metrics.jsonl";
  std::error_code none;
  const auto size = static_cast<int64_t>(fs::file_size(path, none));
  if (none || size == read_bytes_) return false;
  if (size < read_bytes_) forget();
  std::ifstream in(path, std::ios::binary);
  in.seekg(read_bytes_);
  const int64_t before = lines_;
  for (std::string line; std::getline(in, line) && !in.eof();) {  // eof: no line end came yet
    read_bytes_ += static_cast<int64_t>(line.size()) + 1;
    const Json value = Json::parse(line, nullptr, false);
    if (value.is_object()) take(value);
  }
  return lines_ != before;
}

void RunState::add(const std::string& curve, const std::string& series, double x, const Json& y) {
  auto at = std::find_if(curves_.begin(), curves_.end(), [&](auto& c) { return c.first == curve; });
  if (at == curves_.end()) at = curves_.insert(curves_.end(), {curve, {}});
  auto& lines = at->second;
  auto line = std::find_if(lines.begin(), lines.end(), [&](auto& s) { return s.name == series; });
  if (line == lines.end()) line = lines.insert(lines.end(), {series, {}, series == "held-out"});
  const double nan = std::numeric_limits<double>::quiet_NaN();
  line->points.emplace_back(x, y.is_number() ? y.get<double>() : nan);
}

void RunState::take(const Json& line) {
  ++lines_;
  const std::string kind = line.value("kind", "");
  const int64_t step = line.value("step", int64_t{0});
  const auto x = static_cast<double>(step);
  if (kind == "train") {
    step_ = step;
    seconds_ = line.value("seconds", seconds_);
    recent_.emplace_back(seconds_, x);
    if (recent_.size() > rate_lines) recent_.erase(recent_.begin());
  }
  if (kind == "train" || kind == "validation") {
    for (const char* key : {"loss", "accuracy"}) {
      if (line.contains(key)) add(key, kind == "train" ? "training" : "held-out", x, line[key]);
    }
  }
  if (line.contains("scores")) {
    scores_.clear();
    for (const Json& score : line["scores"]) {
      const std::string name = score.at("name"), unit = score.value("unit", "");
      if (scores_.empty()) add(name, "held-out", x, score.at("value"));
      const std::string value = score.at("value").is_number()
                                    ? fmt::format("{:.4g}", score.at("value").get<double>())
                                    : "not a number";
      scores_.emplace_back(name, value + (unit.empty() ? "" : " " + unit));
    }
  }
  if (kind == "probe" && line.value("control", "") == "trained" && line.contains("accuracy") &&
      line["accuracy"].is_number()) {
    probe_step_ = step;
    probes_[{line.at("layer"), line.at("factor")}] = line["accuracy"];
  }
}

std::optional<double> RunState::probe(const std::string& layer, const std::string& factor) const {
  auto found = probes_.find({layer, factor});
  if (found == probes_.end()) return std::nullopt;
  return found->second;
}

Phase RunState::phase() const {
  if (!total_) return fs::exists(folder_ / "result.json") ? Phase::ended : Phase::training;
  if (step_ < *total_) return Phase::training;
  // A study that was not watched (--train-only) leaves no report.
  const char* last = !study_           ? "result.json"
                     : probes_.empty() ? "checkpoint.safetensors"
                                       : "report.html";
  return fs::exists(folder_ / last) ? Phase::ended : Phase::finishing;
}

std::optional<double> RunState::rate() const {
  if (recent_.size() < 2) return std::nullopt;
  const double seconds = recent_.back().first - recent_.front().first;
  if (seconds <= 0) return std::nullopt;
  return (recent_.back().second - recent_.front().second) / seconds;
}

std::optional<double> RunState::seconds_left() const {
  const auto r = rate();
  if (!r || !total_ || *r <= 0) return std::nullopt;
  return static_cast<double>(std::max<int64_t>(0, *total_ - step_)) / *r;
}

double RunState::quiet_seconds() const {
  std::error_code none;
  const auto written = fs::last_write_time(folder_ / "metrics.jsonl", none);
  if (none) return 0;
  return std::chrono::duration<double>(fs::file_time_type::clock::now() - written).count();
}

}  // namespace strata::watch
