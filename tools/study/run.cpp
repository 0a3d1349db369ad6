// The whole job, in the order it happens.
#include <sys/resource.h>

#include <chrono>
#include <fstream>

#include "engine/autograd/autograd.h"
#include "engine/io/atomic_file.h"
#include "tools/report/report.h"
#include "tools/report/run_files.h"
#include "tools/study/findings.h"
#include "tools/study/panels.h"
#include "tools/study/progress.h"
#include "tools/study/study.h"

namespace strata::study {
namespace {

using Clock = std::chrono::steady_clock;

double peak_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) * 1024;
}

// What the monitor can only say at the end: controls, and CKA with the finished network.
void finish_monitoring(Study& study, Monitor& monitor) {
  auto path = study.file("metrics.jsonl");
  MetricsLog log(path, static_cast<int64_t>(std::filesystem::file_size(path)));
  events::RunEvents events(study.options.out, events::RunEvents::whole);
  log.copy_to(events);
  monitor.observe_pixels(log);
  monitor.observe_shuffled(*study.model, study.total_steps(), log);
  monitor.write_cka(monitored_steps(study.total_steps()), log);
}

// Each panel with its time.
Json make_panels(Study& study, Monitor& monitor, Json& seconds) {
  Json panels, sprites = Json::object();
  auto steps = monitored_steps(study.total_steps());
  Progress progress("panels", 5, "panels");
  int done = 0;
  auto make = [&](const char* name, auto&& panel) {
    auto start = Clock::now();
    Json value = panel();
    if (!value.is_null()) panels[name] = std::move(value);
    seconds[name] = std::chrono::duration<double>(Clock::now() - start).count();
    progress.update(++done, name);
  };
  Batch shown = study.test->head(images_shown);
  PatchSheet images(shown, *study.test);
  make("similarity", [&] { return similarity_panel(monitor, steps); });
  make("filters", [&] { return filters_panel(study, monitor, steps, sprites); });
  make("embedding", [&] { return embedding_panel(study, monitor, images); });
  make("units", [&] { return units_panel(study, monitor, images, sprites); });
  make("attributions", [&] { return attribution_panel(study, sprites); });
  progress.finish();
  sprites["test images"] = images.to_json();
  panels["sprites"] = sprites;
  write_embedding(study);
  return panels;
}

// Trains the control: few enough images to learn them by heart in seconds, since there is nothing
// else to learn (Adebayo et al. 2018, section 4.2).
double train_twin(const Study& study) {
  auto start = Clock::now();
  Options twin = study.options;
  twin.out = study.file("random_labels");
  twin.random_labels = twin.train_only = true;
  twin.train_images = 500;
  twin.epochs = study.options.control_epochs;
  twin.augment = "none";
  run(twin);
  return std::chrono::duration<double>(Clock::now() - start).count();
}

}  // namespace

Outcome run(const Options& options) {
  Study study = prepare(options);
  MonitorOptions watch;
  watch.probe_train = options.probe_images * 2 / 3;
  watch.probe_validation = options.probe_images - watch.probe_train;
  watch.film = study.film();
  Monitor monitor(*study.validation, study.layers, watch, study.file("monitor"));
  TrainingTime time = train(study, monitor);
  double test_accuracy = accuracy(*study.model, *study.test);
  if (options.train_only) {
    return {{},
            {fmt::format("Accuracy on {} test images: {:.2f} %", study.test->size(),
                         100 * test_accuracy)}};
  }
  auto start = Clock::now();
  finish_monitoring(study, monitor);
  time.monitoring += std::chrono::duration<double>(Clock::now() - start).count();
  Json seconds{{"training", time.training}, {"probes and CKA while training", time.monitoring}};
  Json panels = make_panels(study, monitor, seconds);
  if (!options.random_labels && options.control_epochs > 0)
    seconds["the control with random labels"] = train_twin(study);
  std::ifstream lines(study.file("metrics.jsonl"));
  Json metrics = report::read_metrics(lines, "metrics.jsonl");
  Findings findings = findings_of(Json(study.config), metrics, test_accuracy);
  panels["summary"] = findings.summary;
  panels["findings"] = findings.sentences;
  panels["cost"] = {{"seconds", seconds},
                    {"peak_bytes", peak_bytes()},
                    {"test_accuracy", test_accuracy},
                    {"machine", study.config["threads"].dump() + " threads"}};
  io::write_file(study.file("report.json").string(), panels.dump());
  return {report::write_report(study.options.out, panels), findings.lines};
}

}  // namespace strata::study
