// strata_gpu_bench: the program behind `strata bench`. On a GPU it measures the cases of plan()
// beside their rivals; built for the simulator it lists them and gives no speeds.
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <ctime>
#include <exception>
#include <fstream>
#ifdef STRATA_CUDA
#include <cuda_runtime.h>
#endif

#include "bench/gpu/results.h"
#include "kernels/gpu/runtime.h"

namespace {

using namespace strata;
using namespace strata::bench;

struct Options {
  std::vector<std::string> families;
  std::string filter, rungs, csv, page;
  bool list = false;
  MeasureOptions measure;
};

std::vector<Case> chosen(const Options& options) {
  std::vector<Case> cases = plan();
  std::erase_if(cases, [&](const Case& c) {
    const bool wanted = options.families.empty() ||
                        std::find(options.families.begin(), options.families.end(), c.family) !=
                            options.families.end();
    return !wanted || title(c).find(options.filter) == std::string::npos;
  });
  if (cases.empty()) throw std::runtime_error("no case is called so; --list shows all");
  return cases;
}

std::string cuda_version() {
#ifdef STRATA_CUDA
  int version = 0;
  cudaRuntimeGetVersion(&version);
  return fmt::format("{}.{}", version / 1000, version % 1000 / 10);
#else
  return "none";
#endif
}

std::string command_line(int argc, char** argv) {
  std::string command = "strata bench";
  for (int i = 1; i < argc; ++i) command += std::string(" ") + argv[i];
  return command;
}

void write(const std::string& path, const std::string& text) {
  if (path.empty()) return;
  std::ofstream file(path);
  file << text;
  file.close();
  if (!file) throw std::runtime_error(fmt::format("{} could not be written", path));
}

// The row of another way to do the same.
Row row_like(const Row& ours, const std::string& implementation) {
  Row row = ours;
  row.implementation = implementation;
  row.kernel.clear();
  row.ratio = 0;
  return row;
}

// The rungs of the case's ladder that take a product of its shape, as rivals of the launcher.
std::vector<Row> measure_rungs(const Case& c, const Row& like, int copies, const Options& options,
                               const Telemetry& telemetry) {
  std::vector<Row> rows;
  if (c.family != "gemm" || c.name.find("(NT") == c.name.npos || c.name.find("fp8") != c.name.npos)
    return rows;
  for (const xray::Subject& subject : xray::catalogue()) {
    if (!subject.name.starts_with("gemm/") ||
        (options.rungs != "all" && subject.name.find(options.rungs) == std::string::npos))
      continue;
    try {
      const xray::Workload workload = subject.make(xray::parse_shape(c.shape), c.dtype, copies);
      Row row = row_like(like, subject.name);
      row.time = measure(workload.run, copies, options.measure, telemetry);
      fmt::print("  {}\n", to_text(row));
      rows.push_back(row);
    } catch (const gpu::Error& error) {
      fmt::print("  {}: {}\n", subject.name, error.what());
    }
  }
  return rows;
}

// Ours and its rivals, in turns in one process.
void measure_case(const Case& c, const Options& options, const Telemetry& telemetry,
                  std::vector<Row>& rows) {
  const int copies = copies_past_cache(c.bytes, static_cast<double>(gpu::device().l2));
  fmt::print("{}\n", title(c));
  const Prepared prepared = c.prepare(copies);
  Row ours{c.family,
           c.set,
           c.name,
           c.shape,
           name_of(c.dtype),
           "strata",
           prepared.kernel,
           prepared.workload.flops,
           prepared.workload.bytes,
           {},
           0};
  ours.time = measure(prepared.workload.run, copies, options.measure, telemetry);
  std::vector<Row> others;
  std::vector<std::string> notes = prepared.notes;
  for (const Rival& rival : prepared.rivals) {
    try {
      others.push_back(row_like(ours, rival.name));
      others.back().time = measure(rival.run, copies, options.measure, telemetry);
    } catch (const std::exception& error) {
      others.pop_back();
      notes.push_back(fmt::format("{}: {}", rival.name, error.what()));
    }
  }
  for (const Row& row : others) {
    const double ratio = row.time.median / ours.time.median;
    if (ours.ratio == 0 || ratio < ours.ratio) ours.ratio = ratio;
  }
  fmt::print("  {}\n", to_text(ours));
  for (const Row& row : others) fmt::print("  {}\n", to_text(row));
  for (const std::string& note : notes) fmt::print("  {}\n", note);
  rows.push_back(ours);
  rows.insert(rows.end(), others.begin(), others.end());
  if (!options.rungs.empty())
    for (Row& row : measure_rungs(c, ours, copies, options, telemetry)) rows.push_back(row);
  std::fflush(stdout);
}

int measure_all(const std::vector<Case>& cases, const Options& options,
                const std::string& command) {
  if (!gpu::available())
    throw std::runtime_error("there is no GPU, or the driver does not work; nvidia-smi says more");
  gpu::set_current_stream(gpu::create_stream());  // the default stream cannot be captured
  const Telemetry telemetry;
  const RunInfo info{gpu::device().name, telemetry.driver(), cuda_version(), command,
                     fmt::format("{:%Y-%m-%d}", fmt::gmtime(std::time(nullptr)))};
  std::vector<Row> rows;
  int failures = 0;
  for (const Case& c : cases) {
    try {
      measure_case(c, options, telemetry, rows);
    } catch (const std::bad_alloc&) {
      fmt::print("  not measured: the device has too little memory\n");
    } catch (const std::exception& error) {
      fmt::print("  FAILED: {}\n", error.what());
      ++failures;
    }
    write(options.csv,
          to_csv(rows, info));  // after each case: a run that is cut short leaves what it has
  }
  fmt::print("\n{}, driver {}\n{}", info.device, info.driver, to_text(summarise(rows)));
  write(options.page, to_page(rows, info));
  return failures ? 1 : 0;
}

void list(const std::vector<Case>& cases) {
  for (const Case& c : cases)
    fmt::print("{:<10} {:<14} {:<42} {:<28} {}\n", c.family, c.set, c.name, c.shape,
               name_of(c.dtype));
  fmt::print("{} cases\n", cases.size());
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Measures the GPU kernels beside cuBLAS, cuBLASLt and cuDNN.", "strata bench"};
  Options options;
  app.add_flag("--list", options.list, "Lists the cases and measures nothing");
  app.add_option("--family", options.families,
                 "Only these, with commas between them: gemm, conv, attention, norm, softmax, "
                 "loss, reduce, elementwise, random, index, pool, graph, recurrent, optimizer, "
                 "embedding, ladder")
      ->delimiter(',');
  app.add_option("--filter", options.filter,
                 "Only cases with this in their name, as --list has it");
  app.add_option("--rungs", options.rungs,
                 "Also the rungs of the ladder of products: all, or those with this in their name");
  app.add_option("--seconds", options.measure.seconds, "Of measuring, a case and implementation")
      ->capture_default_str();
  app.add_option("--warm-up", options.measure.warm_up, "Seconds of warming up, at least")
      ->capture_default_str();
  app.add_option("--csv", options.csv, "File for the rows");
  app.add_option("--page", options.page, "File for the page with plots");
  try {
    app.parse(argc, argv);
    const std::vector<Case> cases = chosen(options);
    if (options.list || gpu::simulated()) list(cases);
    if (options.list) return 0;
    if (gpu::simulated())
      throw std::runtime_error(
          "the simulator has no time, so there are no speeds to print. Build the cuda preset on a "
          "machine with nvcc (script/gpu-bundle packs it) and run this on a GPU.");
    return measure_all(cases, options, command_line(argc, argv));
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  } catch (const std::exception& error) {
    fmt::print(stderr, "strata bench: {}\n", error.what());
    return 1;
  }
}
