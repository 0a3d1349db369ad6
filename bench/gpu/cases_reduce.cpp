// Reductions of rows, of columns and of all, at sizes past every L2. The results are few: what must
// move is the input, twice where the second pass needs the result of the first.
#include <fmt/format.h>

#include "bench/gpu/memory_case.h"
#include "kernels/reduce/reduce.h"

namespace strata::bench {

namespace {

using cpu::ReduceKind;

struct Sizes {
  int64_t shape[2], strides[2];
};

// Of the axis `over`, with room for results of any type. The arguments point into `sizes`.
cpu::ReduceArgs arguments(const ReduceCase& c, const Sizes& sizes, xray::Operands& operands) {
  cpu::ReduceArgs args;
  args.x = operands.random(c.rows * c.columns, c.dtype);
  args.dtype = args.out_dtype = c.dtype;
  args.rank = 2;
  args.shape = sizes.shape, args.strides = sizes.strides;
  args.reduced = c.over == "rows" ? 2u : c.over == "columns" ? 1u : 3u;
  const int64_t outputs = c.over == "rows" ? c.rows : c.over == "columns" ? c.columns : 1;
  args.out = c.kind == "cumulative sum" ? operands.empty(c.rows * c.columns, c.dtype)
                                        : operands.empty(outputs, DType::f64);
  return args;
}

std::function<void()> run_of(const ReduceCase& c, xray::Operands& operands) {
  const auto sizes = std::make_shared<const Sizes>(Sizes{{c.rows, c.columns}, {c.columns, 1}});
  const cpu::ReduceArgs args = arguments(c, *sizes, operands);
  const int axis = c.over == "rows" ? 1 : 0;
  if (c.kind == "sum") return [args, sizes] { gpu::reduce(ReduceKind::sum, args); };
  if (c.kind == "max") return [args, sizes] { gpu::reduce(ReduceKind::maximum, args); };
  if (c.kind == "argmax") return [args, sizes, axis] { gpu::arg_extreme(true, axis, args); };
  if (c.kind == "cumulative sum")
    return [args, sizes, axis] { gpu::cumulative_sum(axis, false, args); };
  cpu::ReduceArgs mean = args, deviation = args;
  const int64_t terms = c.over == "rows" ? c.columns : c.over == "columns" ? c.rows : 1;
  mean.divisor = deviation.divisor = static_cast<double>(terms);
  mean.out_dtype = DType::f64;
  deviation.shift = mean.out;
  deviation.out = operands.empty(c.over == "rows" ? c.rows : c.columns, DType::f64);
  return [mean, deviation, sizes] {
    gpu::reduce(ReduceKind::sum, mean);
    gpu::reduce(ReduceKind::squared_deviation, deviation);
  };
}

}  // namespace

Case reduce_case(const ReduceCase& c) {
  const bool twice = c.kind == "cumulative sum" || c.kind == "mean and variance";
  const double bytes = (twice ? 2 : 1) * xray::bytes_of(c.rows * c.columns, c.dtype);
  return memory_case({"reduce", c.over, c.kind + " of " + c.over,
                      fmt::format("{}x{}", c.rows, c.columns), c.dtype, bytes,
                      [c](xray::Operands& operands) { return run_of(c, operands); }});
}

std::vector<Case> reduce_cases() {
  std::vector<Case> cases;
  for (const char* kind : {"sum", "mean and variance", "max", "argmax", "cumulative sum"}) {
    cases.push_back(reduce_case({kind, "rows", 65536, 2048}));
    cases.push_back(reduce_case({kind, "rows", 1024, 131072}));
    cases.push_back(reduce_case({kind, "columns", 65536, 2048}));
  }
  cases.push_back(reduce_case({"sum", "all", 65536, 2048}));
  cases.push_back(reduce_case({"sum", "all", 65536, 2048, DType::f32}));
  return cases;
}

}  // namespace strata::bench
