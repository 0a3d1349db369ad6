// Matrix products: C [M, N] = A [M, K] B, with B [N, K] as layers of networks hold their weights.
#include <fmt/format.h>

#include "kernels/gemm/rung.h"
#include "tools/xray/operands.h"

namespace strata::xray {

namespace {

Workload make(const gpu::GemmRung& rung, const Shape& shape, DType dtype, int copies) {
  if (shape.size() != 3)
    throw gpu::Error(fmt::format("gemm takes MxNxK, not {}", to_string(shape)));
  const int64_t M = shape[0], N = shape[1], K = shape[2];
  Workload workload;
  Operands operands(workload);
  std::vector<GemmArguments> sets;
  for (int i = 0; i < copies; ++i) {
    GemmArguments g;
    g.dtype = dtype;
    g.M = M, g.N = N, g.K = K;
    g.a = operands.random(M * K, dtype), g.a_row = K, g.a_column = 1;
    g.b = operands.random(N * K, dtype), g.b_row = 1, g.b_column = K;
    g.c = operands.empty(M * N, dtype);
    sets.push_back(g);
  }
  // The tensor-core rungs take f32 only as tf32.
  if (!rung.supports(sets[0]))
    for (GemmArguments& g : sets) g.allow_tf32 = true;
  if (!rung.supports(sets[0]))
    throw gpu::Error(fmt::format("gemm/{} does not take {} of {} on the {}", rung.name,
                                 to_string(shape), name_of(dtype), gpu::device().name));
  workload.flops = 2.0 * static_cast<double>(M * N * K);
  workload.bytes = static_cast<double>(M * K + N * K + M * N) * static_cast<double>(size_of(dtype));
  workload.run = [sets, run = rung.run](int copy) { run(sets[static_cast<size_t>(copy)]); };
  return workload;
}

// The types that a rung computes at this shape, found by asking it.
std::vector<DType> types_of(const gpu::GemmRung& rung, const Shape& shape) {
  std::vector<DType> types;
  for (DType dtype : {DType::f32, DType::bf16, DType::f16, DType::f64}) {
    GemmArguments g;
    g.dtype = dtype;
    g.M = shape[0], g.N = shape[1], g.K = shape[2];
    g.a_row = g.K, g.a_column = 1, g.b_row = 1, g.b_column = g.K;
    for (bool tf32 : {false, true}) {
      g.allow_tf32 = tf32;
      if (!rung.supports(g)) continue;
      types.push_back(dtype);
      break;
    }
  }
  if (types.size() > 1 && types[0] == DType::f32 && std::string(rung.name) >= "08")
    std::swap(types[0], types[1]);
  return types;
}

}  // namespace

std::vector<Subject> gemm_subjects() {
  std::vector<Subject> subjects;
  for (const gpu::GemmRung& rung : gpu::gemm_rungs()) {
    const std::string name = rung.name;
    Shape shape{256, 256, 64};
    if (name.find("skinny") != name.npos) shape = {4, 256, 256};
    if (name.find("split") != name.npos || name.find("stream") != name.npos) shape = {64, 64, 512};
    if (name.find("hopper_split") != name.npos) shape = {64, 64, 2048};  // worth cutting
    if (name.find("repacked") != name.npos) shape = {136, 264, 65};      // unfit rows
    subjects.push_back(
        {"gemm/" + name, rung.description, "MxNxK", shape, types_of(rung, shape),
         [&rung](const Shape& s, DType d, int copies) { return make(rung, s, d, copies); }});
  }
  return subjects;
}

}  // namespace strata::xray
