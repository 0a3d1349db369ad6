#include "tools/xray/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <map>

#include "kernels/gpu/runtime.h"
#include "kernels/sim/simulator.h"

namespace strata::xray {

namespace {

std::string line_of(const sim::Place& place) {
  static std::map<std::string, std::vector<std::string>> files;
  auto [entry, added] = files.try_emplace(place.file);
  if (added) {
    std::ifstream file(place.file);
    for (std::string line; std::getline(file, line);) entry->second.push_back(line);
  }
  if (place.line < 1 || place.line > static_cast<int>(entry->second.size())) return "";
  std::string text = entry->second[static_cast<size_t>(place.line) - 1];
  text.erase(0, text.find_first_not_of(" \t"));
  return text;
}

std::string bytes_text(double bytes) {
  if (bytes >= 1 << 20) return fmt::format("{:.2f} MiB", bytes / (1 << 20));
  return fmt::format("{:.1f} KiB", bytes / 1024);
}

void append_traffic(std::string& text, const sim::PlaceReport& place) {
  for (const sim::Traffic& t : place.traffic) {
    const char* kind = t.space == sim::Space::global ? (t.write ? "global store" : "global load")
                                                     : (t.write ? "shared store" : "shared load");
    text += fmt::format(
        "  {:<26} {:<12} {:>3} B {:>9} {:>6.2f} {:>7.2f}{}\n", to_string(place.place), kind, t.size,
        t.requests, t.units_each(), t.excess(),
        t.excess() > 1.1 ? (t.space == sim::Space::global ? "  <- more sectors than needed"
                                                          : "  <- bank conflicts")
                         : "");
  }
}

void append_events(std::string& text, const sim::PlaceReport& place) {
  const std::string where = to_string(place.place);
  if (place.multiply_adds)
    text += fmt::format("  {:<26} tensor cores       {:>12} multiply-adds\n", where,
                        place.multiply_adds);
  if (place.copied_in)
    text += fmt::format("  {:<26} copy engine        {:>12} bytes to shared memory\n", where,
                        place.copied_in);
  if (place.copied_out)
    text += fmt::format("  {:<26} copy engine        {:>12} bytes from shared memory\n", where,
                        place.copied_out);
  if (place.barriers)
    text += fmt::format("  {:<26} barrier            {:>12} meetings of {} threads\n", where,
                        place.barriers, place.barrier_threads / place.barriers);
}

std::string kernel_text(const sim::KernelReport& kernel) {
  std::string text = fmt::format("\n{}\n  {} blocks of {} threads", kernel.name, kernel.blocks,
                                 kernel.threads_a_block);
  if (kernel.dynamic_shared)
    text += fmt::format(", {} bytes of dynamic shared memory", kernel.dynamic_shared);
  text += fmt::format(
      "\n  sectors: {} asked for, {:.2f} times the fewest;  wavefronts: {}, {:.2f} times the "
      "fewest\n",
      kernel.sectors_read + kernel.sectors_written, kernel.sector_excess(), kernel.wavefronts,
      kernel.wavefront_excess());
  text += fmt::format("  {:<26} {:<12} {:>5} {:>9} {:>6} {:>7}\n", "place", "what", "size",
                      "requests", "each", "x ideal");
  for (const sim::PlaceReport& place : kernel.places) append_traffic(text, place);
  for (const sim::PlaceReport& place : kernel.places) append_events(text, place);
  for (const sim::Race& race : kernel.races) {
    text += fmt::format("  RACE, {} times: {} at {} and {} ({})\n", race.count, race.kind,
                        to_string(race.first), to_string(race.second), race.detail);
    text += fmt::format("    {}\n    {}\n", line_of(race.first), line_of(race.second));
  }
  if (kernel.races.empty()) text += "  no races seen in shared memory\n";
  return text;
}

}  // namespace

double Examination::bytes_moved() const {
  double bytes = 0;
  for (const sim::KernelReport& kernel : kernels)
    bytes += static_cast<double>(kernel.bytes_read + kernel.bytes_written);
  return bytes;
}

bool Examination::tensor_cores() const {
  return std::any_of(kernels.begin(), kernels.end(),
                     [](const sim::KernelReport& kernel) { return !kernel.multiply_adds.empty(); });
}

Examination examine(const Subject& subject, const Shape& shape, DType dtype,
                    const gpu::DeviceInfo& device, bool races) {
  Examination examination{&subject, shape, dtype, device, {}, {}};
  sim::Scoped scoped;
  sim::config().device = device;
  examination.workload = subject.make(shape, dtype, 1);
  sim::Recorder recorder({.races = races});
  sim::config().tracer = &recorder;
  examination.workload.run(0);
  gpu::synchronize(gpu::current_stream());
  examination.kernels = recorder.reports();
  return examination;
}

std::string to_text(const Examination& e) {
  std::string text =
      fmt::format("{}  {} {}, simulated as {}\n{}\n", e.subject->name, to_string(e.shape),
                  name_of(e.dtype), e.device.name, e.subject->idea);
  for (const sim::KernelReport& kernel : e.kernels) text += kernel_text(kernel);
  text += fmt::format("\nDevice memory: {} touched, {} at least", bytes_text(e.bytes_moved()),
                      bytes_text(e.workload.bytes));
  if (e.workload.flops > 0) {
    const Roofline r =
        place(e.device, e.dtype, e.tensor_cores(), e.workload.flops, e.bytes_moved());
    text += fmt::format(
        "; {:.3g} operations, {:.1f} a byte\nRoofline of the {}: {} at this shape; at most {:.3g} "
        "of {:.3g} TFLOP/s\n",
        e.workload.flops, r.intensity, e.device.name,
        r.memory_bound() ? "bound by memory" : "bound by arithmetic", r.attainable * 1e-12,
        r.peak * 1e-12);
  } else {
    text += fmt::format("\nAt the {}'s {:.2f} TB/s that takes {:.2f} us at least\n", e.device.name,
                        e.device.memory_bandwidth * 1e-12,
                        e.bytes_moved() / e.device.memory_bandwidth * 1e6);
  }
  text += "These are counts, not speeds: the simulator has no time.\n";
  return text;
}

}  // namespace strata::xray
