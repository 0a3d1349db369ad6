// strata-conformance: the emulated primitives against a GPU's, bit for bit.
//
//   on a GPU          strata-conformance FOLDER    runs every probe and writes
//   FOLDER/<device>/*.bin on the simulator  strata-conformance FOLDER    replays what each device
//   there gave
//
// Without golden files the simulator's own results are compared between schedules, which shows only
// that the probes work.
#include <fmt/format.h>

#include <cctype>
#include <cstdio>
#include <exception>

#include "kernels/gpu/runtime.h"
#include "tests/kernels/conformance/golden.h"
#ifndef STRATA_CUDA
#include "kernels/sim/simulator.h"
#endif

namespace {

using namespace strata;
using namespace strata::test;

#ifdef STRATA_CUDA

std::string folder_name(std::string device) {
  for (char& letter : device)
    if (!std::isalnum(static_cast<unsigned char>(letter))) letter = '-';
  return device;
}

int run(const std::filesystem::path& root) {
  if (!gpu::available())
    throw std::runtime_error("there is no GPU, or the driver does not work; nvidia-smi says more");
  const std::filesystem::path folder = root / folder_name(gpu::device().name);
  int written = 0, skipped = 0;
  for (const Probe& probe : probes()) {
    if (gpu::device().arch < probe.arch) {
      ++skipped;
      continue;
    }
    fmt::print("{}\n", probe.name);
    std::fflush(stdout);  // a probe that hangs is the last one named
    write_golden(folder, probe.name, probe.run().bytes);
    ++written;
  }
  fmt::print("{} golden files in {}; {} probes need a newer GPU\n", written, folder.string(),
             skipped);
  return 0;
}

#else

Outcome run_with_seed(const Probe& probe, uint64_t seed) {
  sim::Scoped scoped;
  sim::config().seed = seed;
  return probe.run();
}

int replay(const std::filesystem::path& folder) {
  int same = 0, missing = 0, different = 0;
  for (const Probe& probe : probes()) {
    const std::optional<Bytes> golden = read_golden(folder, probe.name);
    if (!golden) {
      ++missing;
      continue;
    }
    const std::string what = difference(probe.run(), *golden);
    if (what.empty()) {
      ++same;
      continue;
    }
    ++different;
    fmt::print("{}: {}\n", probe.name, what);
  }
  fmt::print("{}: {} probes agree, {} differ, {} have no golden file\n", folder.string(), same,
             different, missing);
  return different;
}

int run(const std::filesystem::path& root) {
  const auto folders = golden_folders(root);
  int different = 0;
  for (const auto& folder : folders) different += replay(folder);
  if (folders.empty()) {
    fmt::print(
        "No golden files in {}: no GPU has run this program yet. The simulator is compared "
        "with itself.\n",
        root.string());
    for (const Probe& probe : probes()) {
      const std::string what = difference(run_with_seed(probe, 1), run_with_seed(probe, 0).bytes);
      if (what.empty()) continue;
      ++different;
      fmt::print("{}: {}\n", probe.name, what);
    }
    fmt::print("{} probes, {} differ between schedules\n", probes().size(), different);
  }
  return different ? 1 : 0;
}

#endif

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc != 2) throw std::runtime_error("usage: strata-conformance FOLDER-OF-GOLDEN-FILES");
    return run(argv[1]);
  } catch (const std::exception& error) {
    fmt::print(stderr, "strata-conformance: {}\n", error.what());
    return 1;
  }
}
