// Scatter, first rung: one thread a line along the indexed axis, which walks it in order. So the
// last write wins and additions come in the order of the CPU, bit for bit, without atomics.
//
// Fast where there are many lines and they are short: the gradient of a gather of one class out of
// C has N lines of length 1. Where they are long and few (1000 tokens into a table of words), most
// of the machine has nothing to do: the next rung. Bytes: source and index once, the target where
// touched. Registers 26 to 32. Run on an H200 by its tests, not timed.
#include "kernels/index/plan.h"

namespace strata::gpu::index {

inline constexpr int line_threads = 128;

template <class Op, class T, class Index>
__global__ __launch_bounds__(line_threads) void scatter_lines_kernel(T* target, const T* source,
                                                                     const Index* index,
                                                                     Plan plan) {
  const uint32_t line = blockIdx.x * line_threads + threadIdx.x;
  if (line >= plan.across.count) return;
  const Place place = place_of(plan.across, line);
  for (int64_t i = 0; i < plan.along.size; ++i) {
    const int64_t to = static_cast<int64_t>(index[place.index + i * plan.along.index]);
    Op::apply(target[place.target + to * plan.along.target],
              source[place.source + i * plan.along.source]);
  }
}

void scatter_lines(const cpu::IndexArgs& args, bool add) {
  const Plan plan = make_plan(args);
  visit_update(args.dtype, add, [&]<class Op, class T>(Op, Type<T>) {
    visit_index(args.index_type, [&]<class Index>(Type<Index>) {
      launch<scatter_lines_kernel<Op, T, Index>>(
          {.grid = divide_up(plan.across.count, line_threads), .block = line_threads},
          static_cast<T*>(args.target), static_cast<const T*>(args.source),
          static_cast<const Index*>(args.index), plan);
    });
  });
}

}  // namespace strata::gpu::index
