// Scatter, second rung, and the gradient of an embedding: places of the target are sorted, stably,
// and one thread owns each place (each element of a row) and takes what goes there in order.
// Against the first rung there are as many threads as elements, whatever the shape; against atomics
// the sum has one order, that of the CPU, bit for bit.
//
// For a list of rows the list is sorted: L pairs, while L W elements are added. Else each element
// has a key, line * size + index. Cost: the sort (radix.h), then source and order once, the target
// where touched. A place that takes n elements is a chain of n dependent additions: a word that is
// a tenth of a text of 8192 words waits for 800. Registers 24 to 28. Run on an H200 by its tests,
// not timed.
#include <bit>

#include "kernels/index/plan.h"
#include "kernels/index/radix.h"

namespace strata::gpu::index {

inline constexpr int sorted_threads = 256;

// Element e is number e % L of line e / L.
template <class Index>
__global__ __launch_bounds__(sorted_threads) void key_kernel(const Index* index, Plan plan,
                                                             Divisor length, uint32_t lines,
                                                             int64_t target_size, uint64_t* keys,
                                                             uint32_t* values) {
  const uint32_t element = blockIdx.x * sorted_threads + threadIdx.x;
  if (element >= lines * length.value) return;
  const uint32_t line = length.divide(element), i = element - line * length.value;
  const int64_t from = place_of(plan.across, line).index + i * plan.along.index;
  keys[element] = static_cast<uint64_t>(line * target_size + static_cast<int64_t>(index[from]));
  values[element] = element;
}

// Thread: a sorted pair and an element of its row. Adding, the first of equal keys does them all;
// writing, the last is the only one that stays.
template <class Op, class T>
__global__ __launch_bounds__(sorted_threads) void scatter_sorted_kernel(
    T* target, const T* source, Plan plan, Divisor length, Divisor width, uint32_t pairs,
    int64_t target_size, const uint64_t* keys, const uint32_t* values) {
  const uint32_t thread = blockIdx.x * sorted_threads + threadIdx.x;
  uint32_t pair = width.divide(thread);
  if (pair >= pairs) return;
  const uint64_t key = keys[pair];
  constexpr bool adds = std::is_same_v<Op, Add>;
  if (adds ? pair > 0 && keys[pair - 1] == key : pair + 1 < pairs && keys[pair + 1] == key) return;
  const uint32_t line = plan.rows ? thread - pair * width.value
                                  : static_cast<uint32_t>(key / static_cast<uint64_t>(target_size));
  const int64_t to = static_cast<int64_t>(key % static_cast<uint64_t>(target_size));
  const Place place = place_of(plan.across, line);
  T value = target[place.target + to * plan.along.target];
  do {
    const uint32_t element = values[pair], i = element - length.divide(element) * length.value;
    Op::apply(value, source[place.source + i * plan.along.source]);
  } while (adds && ++pair < pairs && keys[pair] == key);
  target[place.target + to * plan.along.target] = value;
}

void scatter_sorted(const cpu::IndexArgs& args, bool add) {
  const Plan plan = make_plan(args);
  const uint32_t lines = plan.rows ? 1 : plan.across.count;
  const Divisor length(static_cast<uint32_t>(plan.along.size));
  const Divisor width(plan.rows ? plan.across.count : 1);
  const uint32_t pairs = lines * length.value;
  RadixSort order(pairs);
  visit_index(args.index_type, [&]<class Index>(Type<Index>) {
    launch<key_kernel<Index>>({.grid = divide_up(pairs, sorted_threads), .block = sorted_threads},
                              static_cast<const Index*>(args.index), plan, length, lines,
                              args.target_size, order.keys(), order.values());
  });
  order.sort(
      std::bit_width(static_cast<uint64_t>(lines) * static_cast<uint64_t>(args.target_size) - 1));
  visit_update(args.dtype, add, [&]<class Op, class T>(Op, Type<T>) {
    launch<scatter_sorted_kernel<Op, T>>(
        {.grid = divide_up(int64_t{pairs} * width.value, sorted_threads), .block = sorted_threads},
        static_cast<T*>(args.target), static_cast<const T*>(args.source), plan, length, width,
        pairs, args.target_size, order.keys(), order.values());
  });
}

}  // namespace strata::gpu::index
