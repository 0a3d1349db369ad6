// Steps: of recurrent cells behind their products, of optimisers over all parameters, of t-SNE
// among all points.
#include <fmt/format.h>

#include "bench/gpu/memory_case.h"
#include "kernels/embedding/embedding.h"
#include "kernels/optim/optim.h"
#include "kernels/recurrent/recurrent.h"

namespace strata::bench {

namespace {

// Arrays of [N, H] that a kind reads and writes: gates, states, and what is kept for the gradient.
int arrays_of(const std::string& kind) { return kind == "lstm" ? 15 : kind == "gru" ? 12 : 13; }

std::function<void()> run_of(const CellCase& c, xray::Operands& o) {
  const int64_t n = c.N * c.H;
  // Rows of `width` times H elements.
  const auto in = [&](int64_t width) { return Rows{o.random(width * n, c.dtype), width * c.H}; };
  const auto out = [&](int64_t width) { return Rows{o.empty(width * n, c.dtype), width * c.H}; };
  if (c.kind == "lstm") {
    const LstmArgs args{c.N, c.H, c.dtype, in(4), in(4), in(1), out(1), out(1), out(4)};
    return [args] { gpu::lstm_step(args); };
  }
  if (c.kind == "lstm gradient") {
    const LstmGradientArgs args{c.N,   c.H,   c.dtype, in(4),  in(1),
                                in(1), in(1), in(1),   out(4), out(1)};
    return [args] { gpu::lstm_step_gradient(args); };
  }
  if (c.kind == "gru") {
    const GruArgs args{c.N, c.H, c.dtype, in(3), in(3), in(1), out(1), out(4)};
    return [args] { gpu::gru_step(args); };
  }
  const GruGradientArgs args{c.N, c.H, c.dtype, in(4), in(1), in(1), out(3), out(3), out(1)};
  return [args] { gpu::gru_step_gradient(args); };
}

// Parameters of GPT-2 124M (Radford et al. 2019), 148 tensors.
std::vector<int64_t> gpt2_sizes() {
  constexpr int64_t C = 768;
  std::vector<int64_t> sizes = {50257 * C, 1024 * C, C, C};
  for (int layer = 0; layer < 12; ++layer)
    for (int64_t size : {C, C, 3 * C * C, 3 * C, C * C, C, C, C, 4 * C * C, 4 * C, 4 * C * C, C})
      sizes.push_back(size);
  return sizes;
}

// The parameters with their gradients and `states` arrays beside each, which begin as zeros.
std::vector<cpu::OptimTensor> tensors_of(const std::vector<int64_t>& sizes, int states,
                                         xray::Operands& o) {
  std::vector<cpu::OptimTensor> tensors;
  for (int64_t size : sizes) {
    cpu::OptimTensor tensor{
        o.random(size, DType::f32), o.random(size, DType::f32), {}, size, DType::f32};
    for (int k = 0; k < states; ++k) {
      tensor.state[k] = o.empty(size, DType::f32);
      gpu::fill_bytes(tensor.state[k], 0, static_cast<size_t>(size) * sizeof(float),
                      gpu::current_stream());
    }
    tensors.push_back(tensor);
  }
  return tensors;
}

// `bytes` an element.
Case optimizer_case(const char* name, const std::string& set, const std::vector<int64_t>& sizes,
                    double bytes, std::function<std::function<void()>(xray::Operands&)> make) {
  int64_t total = 0;
  for (int64_t size : sizes) total += size;
  return memory_case({"optimizer", set, name, fmt::format("{} in {} tensors", total, sizes.size()),
                      DType::f32, bytes * static_cast<double>(total), std::move(make)});
}

}  // namespace

Case cell_case(const CellCase& c) {
  return memory_case({"recurrent", "cells", c.kind + " step", fmt::format("{}x{}", c.N, c.H),
                      c.dtype, arrays_of(c.kind) * xray::bytes_of(c.N * c.H, c.dtype),
                      [c](xray::Operands& o) { return run_of(c, o); }});
}

Case adamw_case(const std::string& set, const std::vector<int64_t>& sizes) {
  return optimizer_case("AdamW", set, sizes, 28, [sizes](xray::Operands& o) {
    return [tensors = tensors_of(sizes, 2, o)] {
      gpu::adam(tensors, {1e-3, 0.9, 0.999, 1e-8, 0.01, 0.1, 0.001, true});
    };
  });
}

Case sgd_case(const std::string& set, const std::vector<int64_t>& sizes) {
  return optimizer_case("SGD with momentum", set, sizes, 20, [sizes](xray::Operands& o) {
    return [tensors = tensors_of(sizes, 1, o)] {
      gpu::sgd(tensors, {.learning_rate = 1e-3,
                         .momentum = 0.9,
                         .dampening = 0,
                         .weight_decay = 1e-4,
                         .nesterov = false,
                         .first_step = false});
    };
  });
}

Case repulsion_case(int64_t n) {
  const double points = static_cast<double>(n), bytes = xray::bytes_of(5 * n, DType::f32);
  const auto prepare = [=](int copies) {
    Prepared prepared;
    xray::Operands o(prepared.workload);
    std::vector<RepulsionArgs> sets;
    const auto room = [&](int64_t count) {
      return static_cast<float*>(o.empty(count, DType::f32));
    };
    for (int i = 0; i < copies; ++i)
      sets.push_back(
          {n, static_cast<const float*>(o.random(2 * n, DType::f32)), room(2 * n), room(n)});
    prepared.kernel = kernels_of([&] { gpu::repulsion(sets[0]); });
    prepared.workload.flops = 14 * points * points;
    prepared.workload.bytes = bytes;
    prepared.workload.run = [sets](int copy) { gpu::repulsion(sets[static_cast<size_t>(copy)]); };
    prepared.notes.push_back("bound by arithmetic, and no library has it: there is no rival");
    return prepared;
  };
  return {"embedding", "t-SNE", "repulsion", fmt::format("{} points", n),
          DType::f32,  bytes,   prepare};
}

std::vector<Case> step_cases() {
  std::vector<Case> cases;
  for (const char* kind : {"lstm", "lstm gradient", "gru", "gru gradient"})
    for (DType dtype : {DType::f32, DType::bf16})
      cases.push_back(cell_case({kind, 256, 1024, dtype}));
  for (auto optimizer : {adamw_case, sgd_case}) {
    cases.push_back(optimizer("GPT-2 124M", gpt2_sizes()));
    cases.push_back(optimizer("one tensor", {int64_t{1} << 27}));
  }
  for (int64_t n : {10000, 50000}) cases.push_back(repulsion_case(n));
  return cases;
}

}  // namespace strata::bench
