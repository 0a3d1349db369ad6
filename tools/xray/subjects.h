// Subjects from a function that makes one set of operands: what the families share whose kernels
// are not chosen by a table of rungs with one argument struct.
#pragma once

#include <fmt/format.h>

#include <functional>

#include "tools/xray/operands.h"

namespace strata::xray {

// A kernel with one set of operands.
struct Ready {
  double flops = 0, bytes = 0;  // as in Workload
  std::function<void()> run;
};
using Prepare = std::function<Ready(Operands&, const Shape&, DType)>;

inline Subject made_by(const std::string& name, const char* idea, const char* axes,
                       const Shape& shape, std::vector<DType> dtypes, const Prepare& prepare) {
  auto make = [=](const Shape& s, DType dtype, int copies) {
    if (s.size() != shape.size())
      throw gpu::Error(fmt::format("{} takes {}, not {}", name, axes, to_string(s)));
    Workload workload;
    Operands operands(workload);
    std::vector<std::function<void()>> runs;
    for (int i = 0; i < copies; ++i) {
      Ready ready = prepare(operands, s, dtype);
      workload.flops = ready.flops, workload.bytes = ready.bytes;
      runs.push_back(std::move(ready.run));
    }
    gpu::synchronize(gpu::current_stream());  // what made the operands is no part of the subject
    workload.run = [runs](int copy) { runs[static_cast<size_t>(copy)](); };
    return workload;
  };
  return {name, idea, axes, shape, std::move(dtypes), make};
}

}  // namespace strata::xray
