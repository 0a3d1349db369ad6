#include "bench/gpu/memory_case.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "kernels/elementwise/elementwise.h"
#include "kernels/gpu/launch.h"

namespace strata::bench {

std::vector<Rival> copy_rivals(double bytes, int copies) {
  xray::Workload memory;
  xray::Operands operands(memory);
  const auto half = static_cast<int64_t>(bytes / 2), words = (half + 3) / 4;
  std::vector<std::pair<void*, void*>> pairs;
  for (int i = 0; i < copies; ++i) {
    void* from = operands.random(words, DType::f32);
    pairs.emplace_back(operands.empty(words, DType::f32), from);
  }
  const auto by_engine = [pairs, half](int copy) {
    const auto [to, from] = pairs[static_cast<size_t>(copy)];
    gpu::copy_on_device(to, from, static_cast<size_t>(half), gpu::current_stream());
  };
  const auto by_kernel = [pairs, words](int copy) {
    const auto [to, from] = pairs[static_cast<size_t>(copy)];
    cpu::ElementwiseArgs args{};
    args.rank = 1, args.operands = 2, args.sizes[0] = words;
    args.strides[0][0] = args.strides[1][0] = 1;
    args.data[0] = to, args.data[1] = from;
    args.dtype[0] = args.dtype[1] = args.compute = DType::f32;
    gpu::copy(args);
  };
  return {{"copy", by_engine, memory.memory}, {"copy by a kernel", by_kernel, memory.memory}};
}

namespace {

Prepared prepare(const MemoryCase& c, int copies) {
  Prepared prepared;
  xray::Operands operands(prepared.workload);
  std::vector<std::function<void()>> runs;
  for (int i = 0; i < copies; ++i) runs.push_back(c.make(operands));
  gpu::synchronize(gpu::current_stream());  // what made the operands is no part of the work
  prepared.kernel = kernels_of(runs[0]);
  prepared.workload.bytes = c.bytes;
  prepared.workload.run = [runs](int copy) { runs[static_cast<size_t>(copy)](); };
  prepared.rivals = copy_rivals(c.bytes, copies);
  return prepared;
}

}  // namespace

std::string kernels_of(const std::function<void()>& run) {
  static std::vector<std::string> names;
  names.clear();
  gpu::observe_launches([](std::string_view name, const gpu::LaunchConfig&) {
    const std::string_view whole = name.substr(0, name.find('<'));
    const std::string plain(whole.substr(whole.rfind(':') + 1));  // npos + 1 is 0
    if (std::find(names.begin(), names.end(), plain) == names.end()) names.push_back(plain);
  });
  struct Observing {
    ~Observing() { gpu::observe_launches(nullptr); }
  };
  {
    const Observing until_it_returns_or_throws;
    run();
  }
  gpu::synchronize(gpu::current_stream());
  return fmt::format("{}", fmt::join(names, " + "));
}

Case memory_case(const MemoryCase& c) {
  return {c.family,
          c.set,
          c.name,
          c.shape,
          c.dtype,
          c.bytes,
          [c](int copies) { return prepare(c, copies); }};
}

}  // namespace strata::bench
