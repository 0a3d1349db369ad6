#include "tools/train/report_page.h"

#include <fmt/format.h>

#include <cmath>
#include <fstream>

#include "engine/autograd/autograd.h"
#include "engine/io/atomic_file.h"
#include "engine/ops/random.h"
#include "tools/report/report.h"
#include "tools/report/run_files.h"
#include "tools/study/version.h"

namespace strata::train {
namespace {

using nlohmann::json;

std::string with_unit(double value, const Score& score) {
  return fmt::format("{:.4g}{}{}", value, score.unit.empty() || score.unit == "%" ? "" : " ",
                     score.unit);
}

std::string in_words(const Score& score) {
  std::string text = fmt::format("{} {}", score.name, with_unit(score.value, score));
  if (!std::isnan(score.yardstick))
    text += fmt::format(" ({}: {})", score.yardstick_name, with_unit(score.yardstick, score));
  return text;
}

// A score and what it is to beat, as an answer.
std::string answer_of(const Score& score) {
  std::string text = in_words(score);
  text[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])));
  if (std::isnan(score.yardstick)) return text + ".";
  const bool beaten =
      score.higher_is_better ? score.value > score.yardstick : score.value < score.yardstick;
  return text + (beaten ? ": beaten." : ": not beaten.");
}

json config_of(const TaskEntry& entry, const TaskOptions& options, const std::string& command,
               Task& task, const TaskResult& result) {
  json layers = json::array();
  for (const std::string& stage : task.model().stages()) layers.push_back({{"name", stage}});
  json training = {{"steps", task.total_steps()}};
  if (options.learning_rate) training["learning_rate"] = *options.learning_rate;
  return {{"title", entry.name},
          {"command", command},
          {"seed", options.seed},
          {"device", name_of(options.device)},
          {"versions", {{"strata", version}}},
          {"data", {{"name", options.data.empty() ? "generated" : options.data}}},
          {"model",
           {{"name", task.model().kind()}, {"parameters", result.parameters}, {"layers", layers}}},
          {"training", training}};
}

// The panel that is the first picture: what is special about the task, else its curves.
std::string picture_of(const json& panels) {
  for (const char* name : {"tokens", "audio", "graphs"})
    if (panels.contains(name)) return name;
  return "training";
}

json panels_of(const TaskEntry& entry, const TaskOptions& options, Task& task,
               const TaskResult& result) {
  std::unique_ptr<Task> twin;
  auto untrained = [&]() -> Model& {
    if (!twin) {
      manual_seed(options.seed);  // as run_task made the first
      twin = entry.make(options);
      twin->model().to(options.device);
      twin->model().eval();
    }
    return twin->model();
  };
  NoGrad off;
  task.model().eval();
  json panels = task.panels(untrained);
  std::vector<std::string> scores;
  for (const Score& score : result.scores) scores.push_back(in_words(score));
  if (!scores.empty())
    panels["findings"] = json::array(
        {{{"panel", "training"}, {"text", fmt::format("Scores: {}.", fmt::join(scores, "; "))}}});
  panels["summary"] = {
      {"question", fmt::format("What has {} learned?", entry.name)},
      {"answer",
       entry.about + "." + (scores.empty() ? "" : " " + answer_of(result.scores.front()))},
      {"picture", picture_of(panels)}};
  panels["cost"] = {{"seconds", {{"training and scoring", result.seconds}}},
                    {"peak_bytes", result.memory_mib * 1048576}};
  return panels;
}

}  // namespace

void write_task_report(const TaskEntry& entry, const TaskOptions& options,
                       const std::string& command, Task& task, const TaskResult& result) {
  const std::filesystem::path metrics = options.out / "metrics.jsonl";
  std::ifstream lines(metrics);
  const json panels = panels_of(entry, options, task, result);
  io::write_file((options.out / "report.json").string(), panels.dump() + "\n");
  report::write_page(options.out / "report.html",
                     {{"config", config_of(entry, options, command, task, result)},
                      {"metrics", report::read_metrics(lines, metrics.string())},
                      {"panels", panels}});
}

}  // namespace strata::train
