// Products: the layers of GPT-2 at two sizes, forward and both gradients; the 1x1 convolutions of
// ResNet-50 as products; squares, skinny ones that stream a weight, and odd sizes; squares of fp8.
#include <fmt/format.h>

#include "bench/gpu/rivals.h"
#include "kernels/common/fp8.h"
#include "kernels/gemm/hopper.h"
#include "kernels/gemm/rung.h"
#include "tools/xray/operands.h"

namespace strata::bench {

namespace {

GemmArguments arguments_of(const GemmCase& s) {
  GemmArguments g;
  g.dtype = s.dtype;
  g.allow_tf32 = s.tf32;
  g.M = s.M, g.N = s.N, g.K = s.K;
  const bool a_transposed = s.layout[0] == 'T', b_transposed = s.layout[1] == 'T';
  g.a_row = a_transposed ? 1 : s.K, g.a_column = a_transposed ? s.M : 1;
  g.b_row = b_transposed ? 1 : s.N, g.b_column = b_transposed ? s.K : 1;
  return g;
}

// Elements of e4m3, in steps of 1/128 from -1 up to 1 before they are rounded.
void* random_fp8(xray::Operands& operands, int64_t elements) {
  fp8_e4m3 rounded[256];
  for (int i = 0; i < 256; ++i) rounded[i] = fp8_e4m3(static_cast<float>(i) / 128 - 1);
  static std::mt19937_64 generator(20061);  // no two arrays are alike
  std::vector<fp8_e4m3> values(static_cast<size_t>(elements));
  uint64_t word = 0;
  for (size_t i = 0; i < values.size(); ++i, word >>= 8) {
    if (i % 8 == 0) word = generator();
    values[i] = rounded[word & 255u];
  }
  void* memory = operands.empty(elements, DType::u8);
  gpu::copy_to_device(memory, values.data(), values.size(), gpu::current_stream());
  gpu::synchronize(gpu::current_stream());
  return memory;
}

Prepared prepare(const GemmCase& s, double bytes, int copies) {
  Prepared prepared;
  xray::Operands operands(prepared.workload);
  std::vector<GemmArguments> sets;
  for (int i = 0; i < copies; ++i) {
    GemmArguments g = arguments_of(s);
    g.a = s.fp8 ? random_fp8(operands, s.M * s.K) : operands.random(s.M * s.K, s.dtype);
    g.b = s.fp8 ? random_fp8(operands, s.K * s.N) : operands.random(s.K * s.N, s.dtype);
    g.c = operands.empty(s.M * s.N, s.dtype);
    sets.push_back(g);
  }
  prepared.kernel =
      s.fp8 ? gpu::gemm_ladder::fp8_tma_store.name : gpu::gemm_choice(simplify(sets[0])).name;
  prepared.workload.flops = 2.0 * static_cast<double>(s.M) * static_cast<double>(s.N * s.K);
  prepared.workload.bytes = bytes;
  prepared.workload.run = [sets, multiply = s.fp8 ? gpu::gemm_fp8 : gpu::gemm](int copy) {
    multiply(sets[static_cast<size_t>(copy)]);
  };
  Rivals rivals = s.fp8 ? fp8_rivals(sets) : gemm_rivals(sets);
  prepared.rivals = std::move(rivals.found);
  prepared.notes = std::move(rivals.notes);
  return prepared;
}

// A layer of `in` to `out` features over `tokens` rows: its three products.
void add_layer(std::vector<Case>& cases, const std::string& set, const std::string& name,
               int64_t tokens, int64_t in, int64_t out) {
  cases.push_back(gemm_case({set, name + ", forward", tokens, out, in, "NT"}));
  cases.push_back(gemm_case({set, name + ", input gradient", tokens, in, out, "NN"}));
  cases.push_back(gemm_case({set, name + ", weight gradient", out, in, tokens, "TN"}));
}

void add_gpt(std::vector<Case>& cases, const std::string& set, int64_t tokens, int64_t width) {
  add_layer(cases, set, "qkv", tokens, width, 3 * width);
  add_layer(cases, set, "projection", tokens, width, width);
  add_layer(cases, set, "mlp up", tokens, width, 4 * width);
  add_layer(cases, set, "mlp down", tokens, 4 * width, width);
  add_layer(cases, set, "head", tokens, width, 50304);
}

}  // namespace

Case gemm_case(const GemmCase& s) {
  const double bytes = xray::bytes_of(s.M * s.K + s.K * s.N, s.fp8 ? DType::u8 : s.dtype) +
                       xray::bytes_of(s.M * s.N, s.dtype);
  const std::string layout = s.layout + (s.tf32 ? ", tf32" : s.fp8 ? ", fp8 e4m3" : "");
  return {"gemm",
          s.set,
          s.name + " (" + layout + ")",
          fmt::format("{}x{}x{}", s.M, s.N, s.K),
          s.dtype,
          bytes,
          [s, bytes](int copies) { return prepare(s, bytes, copies); }};
}

std::vector<Case> gemm_cases() {
  std::vector<Case> cases;
  for (int64_t size : {1024, 2048, 4096, 8192})
    cases.push_back(gemm_case({"squares", "square", size, size, size}));
  for (DType dtype : {DType::f16, DType::f32})
    cases.push_back(gemm_case({"squares", "square", 4096, 4096, 4096, "NT", dtype}));
  cases.push_back(gemm_case({"squares", "square", 4096, 4096, 4096, "NT", DType::f32, true}));
  for (int64_t size : {4096, 8192})
    cases.push_back(
        gemm_case({"squares", "square", size, size, size, "NT", DType::bf16, false, /*fp8=*/true}));
  add_gpt(cases, "GPT-2 124M", 8 * 1024, 768);
  add_gpt(cases, "GPT-2 1.5B", 4 * 1024, 1600);
  for (int64_t M : {1, 2, 4, 8, 16, 32, 64, 128})
    cases.push_back(gemm_case({"skinny", "one step of generation", M, 12288, 4096}));
  struct Stage {
    int64_t side, narrow, wide;
  };
  for (const Stage& s : {Stage{56, 64, 256}, {28, 128, 512}, {14, 256, 1024}, {7, 512, 2048}}) {
    const int64_t pixels = 64 * s.side * s.side;
    cases.push_back(gemm_case({"ResNet-50 1x1", "widen", pixels, s.wide, s.narrow}));
    cases.push_back(gemm_case({"ResNet-50 1x1", "narrow", pixels, s.narrow, s.wide}));
  }
  struct Odd {
    int64_t M, N, K;
  };
  for (const Odd& s : {Odd{127, 129, 131},
                       {1000, 1000, 1000},
                       {2047, 2049, 2045},
                       {4095, 4097, 4093},
                       {8191, 50257, 768},
                       {777, 10000, 333}})
    for (const char* layout : {"NT", "TN"})
      cases.push_back(gemm_case({"odd", "odd", s.M, s.N, s.K, layout}));
  return cases;
}

}  // namespace strata::bench
