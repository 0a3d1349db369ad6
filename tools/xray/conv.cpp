// Convolutions, NHWC: the three passes of a layer, stride 1, padding that keeps the size.
#include <fmt/format.h>

#include "kernels/conv/rung.h"
#include "tools/xray/operands.h"

namespace strata::xray {

namespace {

using gpu::conv::Pass;

constexpr const char* pass_names[] = {"forward", "input_gradient", "weight_gradient"};

// N x H x W x C x O x R; depthwise when O is C and the rung is for that.
gpu::conv::Problem problem_of(const std::string& rung, Pass pass, const Shape& s, DType dtype) {
  gpu::conv::Problem problem;
  problem.pass = pass;
  ConvShape& shape = problem.shape;
  shape.dtype = dtype;
  shape.N = s[0], shape.H = s[1], shape.W = s[2], shape.C = s[3], shape.O = s[4],
  shape.R = shape.S = s[5];
  shape.P = shape.H, shape.Q = shape.W;
  shape.top = shape.left = (s[5] - 1) / 2;
  shape.bottom = shape.right = s[5] / 2;
  if (rung.find("depthwise") != rung.npos) shape.groups = shape.C;
  return problem;
}

Workload make(const gpu::ConvRung& rung, Pass pass, const Shape& s, DType dtype, int copies) {
  if (s.size() != 6) throw gpu::Error(fmt::format("conv takes NxHxWxCxOxR, not {}", to_string(s)));
  gpu::conv::Problem problem = problem_of(rung.name, pass, s, dtype);
  const ConvShape& shape = problem.shape;
  const int64_t image = shape.N * shape.H * shape.W * shape.C,
                result = shape.N * shape.P * shape.Q * shape.O;
  const int64_t weights = shape.O * shape.R * shape.S * shape.C / shape.groups;
  Workload workload;
  Operands operands(workload);
  std::vector<gpu::conv::Problem> sets;
  for (int i = 0; i < copies; ++i) {
    if (pass != Pass::input_gradient) problem.x = operands.random(image, dtype);
    if (pass != Pass::weight_gradient) problem.weight = operands.random(weights, dtype);
    if (pass != Pass::forward) problem.gradient = operands.random(result, dtype);
    problem.out = operands.empty(pass == Pass::forward          ? result
                                 : pass == Pass::input_gradient ? image
                                                                : weights,
                                 dtype);
    sets.push_back(problem);
  }
  if (!rung.supports(problem))
    throw gpu::Error(fmt::format("conv/{} does not take {} of {} ({}) on the {}", rung.name,
                                 to_string(s), name_of(dtype), pass_names[static_cast<int>(pass)],
                                 gpu::device().name));
  workload.flops = 2.0 * static_cast<double>(result * shape.R * shape.S * shape.C / shape.groups);
  workload.bytes =
      static_cast<double>(image + result + weights) * static_cast<double>(size_of(dtype));
  workload.run = [sets, run = rung.run](int copy) { run(sets[static_cast<size_t>(copy)]); };
  return workload;
}

Shape small_shape(const std::string& rung) {
  if (rung.find("depthwise") != rung.npos) return {1, 16, 16, 32, 32, 3};
  if (rung.find("stem") != rung.npos) return {1, 16, 16, 3, 32, 3};
  return {1, 16, 16, 64, 64, 3};
}

}  // namespace

std::vector<Subject> conv_subjects() {
  std::vector<Subject> subjects;
  for (const gpu::ConvRung& rung : gpu::conv_rungs()) {
    const Shape shape = small_shape(rung.name);
    for (Pass pass : {Pass::forward, Pass::input_gradient, Pass::weight_gradient}) {
      std::vector<DType> types;
      for (DType dtype : {DType::f32, DType::bf16, DType::f16})
        if (rung.supports(problem_of(rung.name, pass, shape, dtype))) types.push_back(dtype);
      if (types.empty()) continue;
      subjects.push_back({fmt::format("conv/{}/{}", rung.name, pass_names[static_cast<int>(pass)]),
                          rung.description, "NxHxWxCxOxR", shape, types,
                          [&rung, pass](const Shape& s, DType d, int copies) {
                            return make(rung, pass, s, d, copies);
                          }});
    }
  }
  return subjects;
}

}  // namespace strata::xray
