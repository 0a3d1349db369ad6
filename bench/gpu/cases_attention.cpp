// Attention at head sizes 64 and 128, 512 to 16384 long, causal or not, forward and backward; the
// number of tokens and of features is the same for all: 16384 and 2048.
#include <fmt/format.h>

#include <cmath>

#include "bench/gpu/rivals.h"
#include "kernels/attention/rung.h"
#include "tools/xray/operands.h"

namespace strata::bench {

namespace {

int64_t elements(const AttentionCase& c) { return c.N * c.T * c.heads * c.D; }

AttentionShape shape_of(const AttentionCase& c) {
  AttentionShape s;
  s.samples = c.N, s.queries = s.keys = c.T, s.heads = s.key_heads = c.heads, s.size = c.D;
  s.scale = 1 / std::sqrt(static_cast<double>(c.D));
  s.causal = c.causal;
  s.dtype = c.dtype;
  return s;
}
HeadArray head_array(const void* data, const AttentionCase& c) {
  return {data, c.T * c.heads * c.D, c.heads * c.D, c.D};
}

// The rung that the launcher takes: the last of the ladder that can.
template <class Rungs, class Args>
std::string chosen(const Rungs& rungs, const Args& args) {
  std::string name = "none";
  for (const auto* rung : rungs)
    if (rung->supports(args)) name = rung->name;
  return name;
}

AttentionArgs forward_args(xray::Operands& operands, const AttentionCase& c) {
  AttentionArgs args;
  args.shape = shape_of(c);
  for (HeadArray* x : {&args.shape.q, &args.shape.k, &args.shape.v})
    *x = head_array(operands.random(elements(c), c.dtype), c);
  args.out = operands.empty(elements(c), c.dtype);
  args.log_sum_exp = operands.empty(c.N * c.heads * c.T, DType::f32);
  args.workspace =
      operands.empty(static_cast<int64_t>(gpu::attention_workspace(args.shape)) + 256, DType::u8);
  return args;
}

Prepared prepare_forward(const AttentionCase& c, int copies) {
  Prepared prepared;
  xray::Operands operands(prepared.workload);
  std::vector<AttentionArgs> sets;
  for (int i = 0; i < copies; ++i) sets.push_back(forward_args(operands, c));
  prepared.kernel = chosen(gpu::attention_rungs(), sets[0]);
  prepared.workload.run = [sets](int copy) { gpu::attention(sets[static_cast<size_t>(copy)]); };
  Rivals rivals = attention_rivals(sets);
  prepared.rivals = std::move(rivals.found);
  prepared.notes = std::move(rivals.notes);
  return prepared;
}

// The saved output and log-sum-exp are those of a forward pass, so that probabilities are ones.
Prepared prepare_backward(const AttentionCase& c, int copies) {
  Prepared prepared;
  xray::Operands operands(prepared.workload);
  std::vector<AttentionGradientArgs> sets;
  for (int i = 0; i < copies; ++i) {
    const AttentionArgs forward = forward_args(operands, c);
    gpu::attention(forward);
    AttentionGradientArgs args;
    args.shape = forward.shape;
    args.out = forward.out;
    args.log_sum_exp = forward.log_sum_exp;
    args.dout = head_array(operands.random(elements(c), c.dtype), c);
    args.dq = operands.empty(elements(c), c.dtype);
    args.dk = operands.empty(elements(c), c.dtype);
    args.dv = operands.empty(elements(c), c.dtype);
    args.workspace = operands.empty(
        static_cast<int64_t>(gpu::attention_gradient_workspace(args.shape)) + 256, DType::u8);
    sets.push_back(args);
  }
  prepared.kernel = chosen(gpu::attention_gradient_rungs(), sets[0]);
  prepared.workload.run = [sets](int copy) {
    gpu::attention_gradient(sets[static_cast<size_t>(copy)]);
  };
  prepared.notes.push_back("its rivals are PyTorch's: run.sh attention");
  return prepared;
}

}  // namespace

double attention_flops(const AttentionCase& c) {
  const double forward = 4.0 * static_cast<double>(c.N * c.heads * c.D) * static_cast<double>(c.T) *
                         static_cast<double>(c.T);
  return forward * (c.causal ? 0.5 : 1) * (c.backward ? 2.5 : 1);
}

Case attention_case(const AttentionCase& c) {
  const double bytes = static_cast<double>((c.backward ? 8 : 4) * elements(c)) *
                       static_cast<double>(size_of(c.dtype));
  const auto prepare = [c, bytes](int copies) {
    Prepared prepared = c.backward ? prepare_backward(c, copies) : prepare_forward(c, copies);
    prepared.workload.flops = attention_flops(c);
    prepared.workload.bytes = bytes;
    return prepared;
  };
  return {"attention",
          c.set,
          fmt::format("{}, {}", c.causal ? "causal" : "full", c.backward ? "backward" : "forward"),
          fmt::format("{}x{}x{}x{}", c.N, c.T, c.heads, c.D),
          c.dtype,
          bytes,
          prepare};
}

std::vector<AttentionCase> attention_shapes() {
  constexpr int64_t tokens = 16384, features = 2048;
  std::vector<AttentionCase> shapes;
  for (bool backward : {false, true})
    for (int64_t D : {64, 128})
      for (bool causal : {false, true})
        for (int64_t T = 512; T <= tokens; T *= 2)
          shapes.push_back(
              {fmt::format("head size {}", D), tokens / T, T, features / D, D, causal, backward});
  return shapes;
}

std::vector<Case> attention_cases() {
  std::vector<Case> cases;
  for (const AttentionCase& shape : attention_shapes()) cases.push_back(attention_case(shape));
  return cases;
}

}  // namespace strata::bench
