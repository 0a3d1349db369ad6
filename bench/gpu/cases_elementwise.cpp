// Elementwise work at sizes past every L2: a chain in one pass, broadcasts, copies that turn axes,
// casts; and random numbers, which are written and nothing else.
#include <fmt/format.h>

#include "bench/gpu/memory_case.h"
#include "kernels/elementwise/chain.h"
#include "kernels/random/random.h"

namespace strata::bench {

namespace {

struct Operand {
  void* data;
  DType dtype;
  std::vector<int64_t> strides;
};

// The result is the first operand.
cpu::ElementwiseArgs arguments(const std::vector<int64_t>& sizes,
                               const std::vector<Operand>& operands) {
  cpu::ElementwiseArgs args{};
  args.rank = static_cast<int>(sizes.size());
  args.operands = static_cast<int>(operands.size());
  args.compute = DType::f32;
  std::copy(sizes.begin(), sizes.end(), args.sizes);
  for (size_t k = 0; k < operands.size(); ++k) {
    args.data[k] = operands[k].data, args.dtype[k] = operands[k].dtype;
    std::copy(operands[k].strides.begin(), operands[k].strides.end(), args.strides[k]);
  }
  return args;
}

std::function<void()> chain_run(const ElementwiseCase& c, xray::Operands& o) {
  const int64_t n = c.rows * c.columns;
  const std::vector<int64_t> dense{c.columns, 1};
  auto args = arguments({c.rows, c.columns}, {{o.empty(n, c.dtype), c.dtype, dense},
                                              {o.random(n, c.dtype), c.dtype, dense},
                                              {o.random(c.columns, c.dtype), c.dtype, {0, 1}},
                                              {o.random(n, c.dtype), c.dtype, dense}});
  Chain steps;
  then(then(then(steps, Binary::add, 2), Unary::gelu), Binary::mul, 3);
  return [steps, args]() mutable { gpu::chain(steps, args); };
}

std::function<void()> broadcast_run(const ElementwiseCase& c, bool row, xray::Operands& o) {
  const int64_t n = c.rows * c.columns;
  const std::vector<int64_t> dense{c.columns, 1},
      once = row ? std::vector<int64_t>{0, 1} : std::vector<int64_t>{1, 0};
  auto args = arguments({c.rows, c.columns},
                        {{o.empty(n, c.dtype), c.dtype, dense},
                         {o.random(n, c.dtype), c.dtype, dense},
                         {o.random(row ? c.columns : c.rows, c.dtype), c.dtype, once}});
  return [args]() mutable { gpu::binary(Binary::add, args); };
}

std::function<void()> cast_run(const ElementwiseCase& c, DType to, xray::Operands& o) {
  const int64_t n = c.rows * c.columns;
  auto args = arguments({n}, {{o.empty(n, to), to, {1}}, {o.random(n, c.dtype), c.dtype, {1}}});
  return [args]() mutable { gpu::copy(args); };
}

std::function<void()> run_of(const ElementwiseCase& c, xray::Operands& o) {
  if (c.kind == "x + row" || c.kind == "x + column")
    return broadcast_run(c, c.kind == "x + row", o);
  if (c.kind == "to f32") return cast_run(c, DType::f32, o);
  if (c.kind == "to bf16") return cast_run(c, DType::bf16, o);
  return chain_run(c, o);
}

// Each operand once; a row or a column is too little to count.
double bytes_of(const ElementwiseCase& c) {
  const int64_t n = c.rows * c.columns;
  if (c.kind == "to f32") return xray::bytes_of(n, c.dtype) + xray::bytes_of(n, DType::f32);
  if (c.kind == "to bf16") return xray::bytes_of(n, c.dtype) + xray::bytes_of(n, DType::bf16);
  return (c.kind.starts_with("x + ") ? 2 : 3) * xray::bytes_of(n, c.dtype);
}

std::function<void()> permute_run(const PermuteCase& c, int64_t n, xray::Operands& o) {
  const size_t rank = c.shape.size();
  std::vector<int64_t> strides(rank, 1), sizes(rank), from(rank), to(rank, 1);
  for (size_t i = rank - 1; i > 0; --i) strides[i - 1] = strides[i] * c.shape[i];
  for (size_t i = 0; i < rank; ++i) sizes[i] = c.shape[c.order[i]], from[i] = strides[c.order[i]];
  for (size_t i = rank - 1; i > 0; --i) to[i - 1] = to[i] * sizes[i];
  auto args =
      arguments(sizes, {{o.empty(n, c.dtype), c.dtype, to}, {o.random(n, c.dtype), c.dtype, from}});
  return [args]() mutable { gpu::copy(args); };
}

constexpr double kept = 0.9;  // share of elements that dropout lets pass

std::function<void()> dropout_backward_run(const RandomCase& c, xray::Operands& o) {
  void* mask = o.empty(c.count, DType::boolean);
  gpu::bernoulli({mask, c.count, DType::boolean, 1, 0}, kept);
  cpu::ElementwiseArgs args = arguments({c.count}, {{o.empty(c.count, c.dtype), c.dtype, {1}},
                                                    {o.random(c.count, c.dtype), c.dtype, {1}},
                                                    {mask, DType::boolean, {1}}});
  args.parameter[0] = 1 / kept;
  return [args]() mutable { gpu::binary(Binary::masked_scale, args); };
}

std::function<void()> run_of(const RandomCase& c, xray::Operands& o) {
  if (c.kind == "dropout, backward") return dropout_backward_run(c, o);
  const cpu::RandomArgs args{o.empty(c.count, c.dtype), c.count, c.dtype, 1, 0};
  if (c.kind == "uniform") return [args] { gpu::uniform(args, -1, 1); };
  if (c.kind == "normal") return [args] { gpu::normal(args, 0, 1); };
  const void* x = o.random(c.count, c.dtype);
  bool* mask = static_cast<bool*>(o.empty(c.count, DType::boolean));
  return [args, x, mask] { gpu::dropout(args, x, kept, 1 / kept, mask); };
}

}  // namespace

Case elementwise_case(const ElementwiseCase& c) {
  return memory_case({"elementwise", "arrays", c.kind, fmt::format("{}x{}", c.rows, c.columns),
                      c.dtype, bytes_of(c), [c](xray::Operands& o) { return run_of(c, o); }});
}

Case permute_case(const PermuteCase& c) {
  int64_t n = 1;
  for (int64_t size : c.shape) n *= size;
  return memory_case({"elementwise", c.set, c.name, xray::to_string(c.shape), c.dtype,
                      2 * xray::bytes_of(n, c.dtype),
                      [c, n](xray::Operands& o) { return permute_run(c, n, o); }});
}

Case random_case(const RandomCase& c) {
  // Numbers are written; dropout reads and writes elements, and a byte of the mask each.
  const bool dropout = c.kind.starts_with("dropout");
  const double bytes = (dropout ? 2 : 1) * xray::bytes_of(c.count, c.dtype) +
                       (dropout ? xray::bytes_of(c.count, DType::boolean) : 0);
  return memory_case({"random", "arrays", c.kind, fmt::format("{}", c.count), c.dtype, bytes,
                      [c](xray::Operands& o) { return run_of(c, o); }});
}

std::vector<Case> elementwise_cases() {
  constexpr int64_t rows = 32768, columns = 4096;  // 256 MiB of bf16
  std::vector<Case> cases;
  for (DType dtype : {DType::bf16, DType::f32})
    cases.push_back(elementwise_case({"gelu(x + row) y", rows, columns, dtype}));
  for (const char* kind : {"x + row", "x + column", "to f32"})
    cases.push_back(elementwise_case({kind, rows, columns}));
  cases.push_back(elementwise_case({"to bf16", rows, columns, DType::f32}));
  for (DType dtype : {DType::bf16, DType::f32})
    cases.push_back(permute_case({"arrays", "transpose", {rows, columns}, {1, 0}, dtype}));
  cases.push_back(
      permute_case({"GPT-2 124M", "heads before time", {64, 1024, 12, 64}, {0, 2, 1, 3}}));
  cases.push_back(
      permute_case({"ResNet-50", "NCHW to NHWC", {128, 64, 112, 112}, {0, 2, 3, 1}, DType::f32}));
  return cases;
}

std::vector<Case> random_cases() {
  constexpr int64_t count = int64_t{1} << 27;
  std::vector<Case> cases;
  for (const char* kind : {"uniform", "normal"})
    for (DType dtype : {DType::f32, DType::bf16})
      cases.push_back(random_case({kind, count, dtype}));
  for (const char* kind : {"dropout", "dropout, backward"})
    cases.push_back(random_case({kind, count, DType::bf16}));
  return cases;
}

}  // namespace strata::bench
