#include "tools/experiments/runner.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <chrono>
#include <fstream>

#include "engine/io/atomic_file.h"
#include "tools/study/progress.h"

namespace strata::experiments {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr const char* format = "strata-experiment 1";

const char* name_of(Budget budget) { return budget == Budget::small ? "small" : "full"; }
const char* name_of(Lie lie) {
  switch (lie) {
    case Lie::none:
      return "none";
    case Lie::shuffled_labels:
      return "shuffled-labels";
    case Lie::untrained:
      return "untrained";
    case Lie::moving_layers:
      return "moving-layers";
  }
  return "";
}

double peak_mib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

// What a seed's numbers were made by.
Json made_by(const Experiment& e, const RunOptions& o, uint64_t seed) {
  return {{"format", format},
          {"experiment", e.name},
          {"budget", name_of(o.budget)},
          {"device", strata::name_of(o.device)},
          {"lie", name_of(o.lie)},
          {"seed", seed}};
}

// The file of a seed, if it is there and was made so; another experiment's file is an error.
Json read_seed(const fs::path& file, const Json& wanted, Caller at) {
  if (!fs::exists(file)) return nullptr;
  std::ifstream in(file);
  const Json found = Json::parse(in, nullptr, false);
  if (found.is_discarded() || !found.contains("made_by"))
    fail("experiment", at, "{} is not the numbers of a seed; use --force to run it again",
         file.string());
  if (found.at("made_by") != wanted)
    fail("experiment", at, "{} was made by {}; this run is {}; use another --out, or --force",
         file.string(), found.at("made_by").dump(), wanted.dump());
  return found;
}

Json run_one(const Experiment& e, const RunOptions& o, uint64_t seed, study::Progress& progress,
             int64_t index, const fs::path& file) {
  Context context;
  context.seed = seed;
  context.budget = o.budget;
  context.device = o.device;
  context.lie = o.lie;
  context.folder = o.out / fmt::format("seed-{}", seed);
  context.progress = [&](const std::string& what, double share) {
    progress.update(1000 * index + static_cast<int64_t>(999 * share),
                    fmt::format("seed {}: {}", seed, what));
  };
  fs::create_directories(context.folder);
  const auto start = Clock::now();
  Json line;
  line["made_by"] = made_by(e, o, seed);
  line["numbers"] = e.run_seed(context);
  line["seconds"] = std::chrono::duration<double>(Clock::now() - start).count();
  line["peak_mib"] = peak_mib();
  io::write_file(file.string(), line.dump() + "\n");
  if (fs::is_empty(context.folder)) fs::remove(context.folder);
  return line;
}

void write(const Run& run) {
  for (const NamedFigure& picture : run.result.pictures)
    draw::write_figure((run.folder / (picture.name + ".png")).string(), picture.figure);
  io::write_file((run.folder / "result.json").string(), to_json(run).dump(2) + "\n");
  io::write_file((run.folder / "report.html").string(), render_report(run));
}

}  // namespace

std::string command_of(const Experiment& e, const RunOptions& o) {
  std::string command = fmt::format("strata experiment {} --seeds {} --budget {}", e.name,
                                    o.seeds ? o.seeds : e.seeds, name_of(o.budget));
  if (o.first_seed != 1) command += fmt::format(" --first-seed {}", o.first_seed);
  if (o.device != Device::cpu) command += fmt::format(" --device {}", strata::name_of(o.device));
  if (o.lie != Lie::none) command += fmt::format(" --lie {}", name_of(o.lie));
  return command + fmt::format(" --out {}", o.out.string());
}

Run run(const Experiment& e, const RunOptions& o, Caller at) {
  if (!is_available(o.device))
    fail("experiment", at, "--device gpu: CUDA finds none on this machine; use --device cpu");
  std::error_code error;
  fs::create_directories(o.out, error);
  if (error)
    fail("experiment", at, "cannot make the folder {}: {}", o.out.string(), error.message());
  Run run;
  run.experiment = &e;
  run.folder = o.out;
  run.command = command_of(e, o);
  const int64_t count = o.seeds ? o.seeds : e.seeds;
  study::Progress progress(fmt::format("E{} {}", e.number, e.name), 1000 * count,
                           "per mille of a seed");
  std::vector<Json> numbers;
  for (int64_t i = 0; i < count; ++i) {
    const uint64_t seed = o.first_seed + static_cast<uint64_t>(i);
    const fs::path file = o.out / fmt::format("seed-{}.json", seed);
    Json line = o.force ? Json() : read_seed(file, made_by(e, o, seed), at);
    if (line.is_null()) line = run_one(e, o, seed, progress, i, file);
    run.seeds.push_back(seed);
    run.seconds += line.at("seconds").get<double>();
    run.memory_mib = std::max(run.memory_mib, line.at("peak_mib").get<double>());
    numbers.push_back(std::move(line.at("numbers")));
  }
  run.result = e.judge(numbers, o.budget);
  progress.finish(name_of(run.result.verdict));
  write(run);
  return run;
}

Json to_json(const Run& run) {
  Json json{{"format", format},
            {"experiment", run.experiment->name},
            {"number", run.experiment->number},
            {"claim", run.experiment->claim},
            {"verdict", name_of(run.result.verdict)},
            {"answer", run.result.answer},
            {"why", run.result.why},
            {"seeds", run.seeds},
            {"seconds", run.seconds},
            {"peak_mib", run.memory_mib},
            {"command", run.command}};
  for (const Measure& m : run.result.measures) {
    const Interval interval = m.per_seed.empty() ? Interval{} : bootstrap_mean(m.per_seed);
    Json line{
        {"name", m.name},          {"definition", m.definition},
        {"unit", m.unit},          {"mean", m.per_seed.empty() ? Json() : Json(mean(m.per_seed))},
        {"low", interval.low},     {"high", interval.high},
        {"per_seed", m.per_seed},  {"threshold", m.threshold},
        {"decisive", m.decisive},  {"passed", m.passed},
        {"published", m.published}};
    if (m.effect) line["effect"] = *m.effect;
    if (m.p) line["p"] = *m.p;
    json["measures"].push_back(line);
  }
  for (const Control& c : run.result.controls)
    json["controls"].push_back({{"fake", c.fake},
                                {"excluded", c.excluded},
                                {"measured", c.measured},
                                {"passed", c.passed}});
  return json;
}

}  // namespace strata::experiments
