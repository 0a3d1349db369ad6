// The convolutions of ResNet-50 (He et al. 2016, the stride in the 3x3), each distinct one once,
// and depthwise ones of MobileNet (Howard et al. 2017), in their three passes, at 128 images of
// 224x224. Memory bounds the depthwise ones: copies of as many bytes are rivals, too.
#include <fmt/format.h>

#include "bench/gpu/memory_case.h"
#include "bench/gpu/rivals.h"
#include "tools/xray/operands.h"

namespace strata::bench {

namespace {

using gpu::conv::Pass;

Pass pass_named(const std::string& name) {
  if (name == "forward") return Pass::forward;
  return name == "input gradient" ? Pass::input_gradient : Pass::weight_gradient;
}

ConvShape shape_of(const ConvCase& c) {
  ConvShape s;
  s.dtype = c.dtype;
  s.N = c.N, s.H = s.W = c.H, s.C = c.C, s.O = c.O, s.R = s.S = c.R;
  s.stride_h = s.stride_w = c.stride;
  s.top = s.bottom = s.left = s.right = (c.R - 1) / 2;
  s.groups = c.groups;
  s.P = s.Q = (c.H + 2 * s.top - c.R) / c.stride + 1;
  return s;
}

int64_t images_of(const ConvShape& s) { return s.N * s.H * s.W * s.C; }
int64_t results_of(const ConvShape& s) { return s.N * s.P * s.Q * s.O; }
int64_t weights_of(const ConvShape& s) { return s.O * s.R * s.S * s.C / s.groups; }

void run(const gpu::conv::Problem& p) {
  switch (p.pass) {
    case Pass::forward:
      return gpu::conv2d(p.shape, p.x, p.weight, nullptr, nullptr, false, p.out);
    case Pass::input_gradient:
      return gpu::conv2d_input_gradient(p.shape, p.gradient, p.weight, p.out);
    case Pass::weight_gradient:
      return gpu::conv2d_weight_gradient(p.shape, p.x, p.gradient, p.out, nullptr);
  }
}

Prepared prepare(const ConvCase& c, double bytes, int copies) {
  Prepared prepared;
  xray::Operands operands(prepared.workload);
  const ConvShape s = shape_of(c);
  std::vector<gpu::conv::Problem> sets;
  for (int i = 0; i < copies; ++i) {
    gpu::conv::Problem p;
    p.pass = pass_named(c.pass);
    p.shape = s;
    if (p.pass != Pass::input_gradient) p.x = operands.random(images_of(s), c.dtype);
    if (p.pass != Pass::weight_gradient) p.weight = operands.random(weights_of(s), c.dtype);
    if (p.pass != Pass::forward) p.gradient = operands.random(results_of(s), c.dtype);
    const int64_t written = p.pass == Pass::forward          ? results_of(s)
                            : p.pass == Pass::input_gradient ? images_of(s)
                                                             : weights_of(s);
    p.out = operands.empty(written, c.dtype);
    sets.push_back(p);
  }
  prepared.kernel = gpu::conv::choose(sets[0]).name;
  prepared.workload.flops =
      2.0 * static_cast<double>(results_of(s)) * static_cast<double>(s.R * s.S * s.C / s.groups);
  prepared.workload.bytes = bytes;
  prepared.workload.run = [sets](int copy) { run(sets[static_cast<size_t>(copy)]); };
  Rivals rivals = conv_rivals(sets);
  prepared.rivals = std::move(rivals.found);
  prepared.notes = std::move(rivals.notes);
  if (s.groups > 1)
    for (Rival& copy : copy_rivals(bytes, copies)) prepared.rivals.push_back(std::move(copy));
  return prepared;
}

}  // namespace

Case conv_case(const ConvCase& c) {
  const ConvShape s = shape_of(c);
  const double bytes = static_cast<double>(images_of(s) + results_of(s) + weights_of(s)) *
                       static_cast<double>(size_of(c.dtype));
  return {"conv",
          c.set,
          c.name + ", " + c.pass,
          fmt::format("{}x{}x{}x{}x{}x{} stride {}", c.N, c.H, c.H, c.C, c.O, c.R, c.stride),
          c.dtype,
          bytes,
          [c, bytes](int copies) { return prepare(c, bytes, copies); }};
}

std::vector<Case> conv_cases() {
  struct Layer {
    const char* name;
    int64_t H, C, O, R, stride;
  };
  static constexpr Layer layers[] = {
      {"stem", 224, 3, 64, 7, 2},       {"1 enter", 56, 64, 64, 1, 1},
      {"1 body", 56, 64, 64, 3, 1},     {"1 widen", 56, 64, 256, 1, 1},
      {"1 narrow", 56, 256, 64, 1, 1},  {"2 enter", 56, 256, 128, 1, 1},
      {"2 step", 56, 128, 128, 3, 2},   {"2 shortcut", 56, 256, 512, 1, 2},
      {"2 widen", 28, 128, 512, 1, 1},  {"2 narrow", 28, 512, 128, 1, 1},
      {"2 body", 28, 128, 128, 3, 1},   {"3 enter", 28, 512, 256, 1, 1},
      {"3 step", 28, 256, 256, 3, 2},   {"3 shortcut", 28, 512, 1024, 1, 2},
      {"3 widen", 14, 256, 1024, 1, 1}, {"3 narrow", 14, 1024, 256, 1, 1},
      {"3 body", 14, 256, 256, 3, 1},   {"4 enter", 14, 1024, 512, 1, 1},
      {"4 step", 14, 512, 512, 3, 2},   {"4 shortcut", 14, 1024, 2048, 1, 2},
      {"4 widen", 7, 512, 2048, 1, 1},  {"4 narrow", 7, 2048, 512, 1, 1},
      {"4 body", 7, 512, 512, 3, 1},
  };
  static constexpr Layer depthwise[] = {
      {"depthwise 112", 112, 32, 32, 3, 1}, {"depthwise 112 step", 112, 64, 64, 3, 2},
      {"depthwise 56", 56, 128, 128, 3, 1}, {"depthwise 28", 28, 256, 256, 3, 1},
      {"depthwise 14", 14, 512, 512, 3, 1}, {"depthwise 14 step", 14, 512, 512, 3, 2},
      {"depthwise 7", 7, 1024, 1024, 3, 1},
  };
  std::vector<Case> cases;
  for (const Layer& l : layers)
    for (const char* pass : {"forward", "input gradient", "weight gradient"}) {
      if (l.C == 3 && std::string(pass) == "input gradient") continue;  // nobody asks for it
      cases.push_back(conv_case({"ResNet-50", l.name, 128, l.H, l.C, l.O, l.R, l.stride, pass}));
    }
  for (const Layer& l : depthwise)
    for (const char* pass : {"forward", "input gradient", "weight gradient"})
      cases.push_back(conv_case(
          {"MobileNet", l.name, 128, l.H, l.C, l.O, l.R, l.stride, pass, DType::bf16, l.C}));
  return cases;
}

}  // namespace strata::bench
