// Scaled dot-product attention, causal, forward and backward; q, k, v [N, T, heads, D], dense.
#include <fmt/format.h>

#include <cmath>

#include "kernels/attention/rung.h"
#include "tools/xray/operands.h"

namespace strata::xray {

namespace {

AttentionShape shape_of(const Shape& s, DType dtype) {
  if (s.size() != 4)
    throw gpu::Error(fmt::format("attention takes NxTxheadsxD, not {}", to_string(s)));
  AttentionShape shape;
  shape.samples = s[0], shape.queries = shape.keys = s[1], shape.heads = shape.key_heads = s[2],
  shape.size = s[3];
  shape.scale = 1 / std::sqrt(static_cast<double>(s[3]));
  shape.causal = true;
  shape.dtype = dtype;
  return shape;
}
HeadArray head_array(const void* data, const Shape& s) {
  return {data, s[1] * s[2] * s[3], s[2] * s[3], s[3]};
}
int64_t elements(const Shape& s) { return s[0] * s[1] * s[2] * s[3]; }
DType statistics_type(DType dtype) { return dtype == DType::f64 ? DType::f64 : DType::f32; }
// Two products of half the scores, each multiply-add two operations.
double forward_flops(const Shape& s) {
  return 2.0 * static_cast<double>(s[0] * s[2] * s[1] * s[1] * s[3]);
}

template <class Rung>
void check(const Rung& rung, bool supported, const Shape& s, DType dtype) {
  if (!supported)
    throw gpu::Error(fmt::format("attention/{} does not take {} of {} on the {}", rung.name,
                                 to_string(s), name_of(dtype), gpu::device().name));
}

AttentionArgs forward_args(Operands& operands, const gpu::AttentionRung& rung, const Shape& s,
                           DType dtype) {
  AttentionArgs args;
  args.shape = shape_of(s, dtype);
  for (HeadArray* x : {&args.shape.q, &args.shape.k, &args.shape.v})
    *x = head_array(operands.random(elements(s), dtype), s);
  args.out = operands.empty(elements(s), dtype);
  args.log_sum_exp = operands.random(s[0] * s[2] * s[1], statistics_type(dtype));
  args.workspace =
      operands.empty(static_cast<int64_t>(rung.workspace(args.shape)) + 256, DType::u8);
  return args;
}

Workload make_forward(const gpu::AttentionRung& rung, const Shape& s, DType dtype, int copies) {
  Workload workload;
  Operands operands(workload);
  std::vector<AttentionArgs> sets;
  for (int i = 0; i < copies; ++i) sets.push_back(forward_args(operands, rung, s, dtype));
  check(rung, rung.supports(sets[0]), s, dtype);
  workload.flops = forward_flops(s);
  workload.bytes = 4.0 * static_cast<double>(elements(s)) * static_cast<double>(size_of(dtype));
  workload.run = [sets, run = rung.run](int copy) { run(sets[static_cast<size_t>(copy)]); };
  return workload;
}

Workload make_backward(const gpu::AttentionGradientRung& rung, const Shape& s, DType dtype,
                       int copies) {
  Workload workload;
  Operands operands(workload);
  std::vector<AttentionGradientArgs> sets;
  for (int i = 0; i < copies; ++i) {
    AttentionGradientArgs args;
    args.shape = shape_of(s, dtype);
    for (HeadArray* x : {&args.shape.q, &args.shape.k, &args.shape.v, &args.dout})
      *x = head_array(operands.random(elements(s), dtype), s);
    args.out = operands.random(elements(s), dtype);
    args.log_sum_exp = operands.random(s[0] * s[2] * s[1], statistics_type(dtype));
    args.dq = operands.empty(elements(s), dtype);
    args.dk = operands.empty(elements(s), dtype);
    args.dv = operands.empty(elements(s), dtype);
    args.workspace =
        operands.empty(static_cast<int64_t>(rung.workspace(args.shape)) + 256, DType::u8);
    sets.push_back(args);
  }
  check(rung, rung.supports(sets[0]), s, dtype);
  workload.flops = 2.5 * forward_flops(s);
  workload.bytes = 8.0 * static_cast<double>(elements(s)) * static_cast<double>(size_of(dtype));
  workload.run = [sets, run = rung.run](int copy) { run(sets[static_cast<size_t>(copy)]); };
  return workload;
}

template <class Rung, class Args>
std::vector<DType> types_of(const Rung& rung, const Shape& s) {
  std::vector<DType> types;
  for (DType dtype : {DType::f32, DType::bf16, DType::f16}) {
    Args args;
    args.shape = shape_of(s, dtype);
    for (HeadArray* x : {&args.shape.q, &args.shape.k, &args.shape.v}) *x = head_array(nullptr, s);
    if constexpr (requires { args.dout; }) args.dout = head_array(nullptr, s);
    if (rung.supports(args)) types.push_back(dtype);
  }
  return types;
}

}  // namespace

std::vector<Subject> attention_subjects() {
  const Shape shape{1, 128, 1, 64};
  std::vector<Subject> subjects;
  for (const gpu::AttentionRung* rung : gpu::attention_rungs())
    subjects.push_back({fmt::format("attention/{}", rung->name), rung->description, "NxTxheadsxD",
                        shape, types_of<gpu::AttentionRung, AttentionArgs>(*rung, shape),
                        [rung](const Shape& s, DType d, int copies) {
                          return make_forward(*rung, s, d, copies);
                        }});
  for (const gpu::AttentionGradientRung* rung : gpu::attention_gradient_rungs())
    subjects.push_back({fmt::format("attention/{}/gradient", rung->name), rung->description,
                        "NxTxheadsxD", shape,
                        types_of<gpu::AttentionGradientRung, AttentionGradientArgs>(*rung, shape),
                        [rung](const Shape& s, DType d, int copies) {
                          return make_backward(*rung, s, d, copies);
                        }});
  return subjects;
}

}  // namespace strata::xray
