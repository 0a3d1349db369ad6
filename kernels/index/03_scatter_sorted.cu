// Scatter, second rung, and the gradient of an embedding: places of the target are sorted, stably,
// and what goes to one place is taken in order. Against the first rung there are as many threads as
// elements, whatever the shape; against atomics the sum has one order.
//
// A word that is a tenth of a text would be one chain of additions, so what goes to a place is cut
// into segments of 64 rows, counted from its first. A thread a segment and element of its row (16
// bytes of it, where rows are dense) adds the rows, with the loads of eight under way. The first
// segment of a place adds to the target; the others leave their sums, at most one for 64 pairs, and
// the same kernels add those to the target in the next round, and so on: three rounds for 65536
// rows. A place's sum depends on what goes there alone; up to 64 additions, it has the bits of the
// CPU. Writing, the last of a place is a segment of one and the others are none.
//
// For a list of rows the list is sorted: L pairs, while L W elements are added. Else each element
// has a key, line * size + index. Cost: the sort (radix.h), then source and order once, the target
// where touched, and a 64th of the source twice for the sums between.
#include <bit>

#include "kernels/index/plan.h"
#include "kernels/index/radix.h"

namespace strata::gpu::index {

inline constexpr int sorted_threads = 256;
inline constexpr uint32_t segment = 64;  // rows that one thread adds
static_assert(sorted_threads % segment == 0);
inline constexpr uint8_t continued = 128;  // in a length: not the first segment of its place

// Element e is number e % L of line e / L: its pair is (place, number).
template <class Key, class Index>
__global__ __launch_bounds__(sorted_threads) void key_kernel(const Index* index, Plan plan,
                                                             Divisor length, uint32_t lines,
                                                             int64_t target_size, Key* keys,
                                                             uint32_t* values) {
  const uint32_t element = blockIdx.x * sorted_threads + threadIdx.x;
  if (element >= lines * length.value) return;
  const uint32_t line = length.divide(element), i = element - line * length.value;
  const int64_t from = place_of(plan.across, line).index + i * plan.along.index;
  keys[element] = static_cast<Key>(line * target_size + static_cast<int64_t>(index[from]));
  values[element] = i;
}

// The first i of low <= i < high from which on test(i) holds, or high.
template <class F>
DEVICE uint32_t first_where(uint32_t low, uint32_t high, F test) {
  while (low < high) {
    const uint32_t middle = (low + high) / 2;
    if (test(middle))
      high = middle;
    else
      low = middle + 1;
  }
  return low;
}

// lengths[p]: pairs of the segment that begins at p, or 0. Equal keys lie together; ~0 is no key.
// At most one segment in 64 places is not its key's first: its sum has the key next_keys[p / 64],
// which is null where one sum is all. A block looks at whole 64 places.
template <class Op, class Key>
__global__ __launch_bounds__(sorted_threads) void segment_kernel(const Key* keys, uint32_t pairs,
                                                                 uint8_t* lengths, Key* next_keys,
                                                                 uint32_t* next_values) {
  constexpr Key no_key = static_cast<Key>(~Key{0});
  const uint32_t p = blockIdx.x * sorted_threads + threadIdx.x;
  if (next_keys && p < pairs && p % segment == 0) next_keys[p / segment] = no_key;
  __syncthreads();
  if (p >= pairs) return;
  const Key key = keys[p];
  if constexpr (!std::is_same_v<Op, Add>) {
    lengths[p] = p + 1 == pairs || keys[p + 1] != key;
    return;
  }
  const auto has_key = [&](uint32_t i) { return keys[i] == key; };
  const bool first = p == 0 || !has_key(p - 1);
  bool begins = first;
  if (!first && p >= segment && has_key(p - segment))
    begins = (p - first_where(0, p - segment, has_key)) % segment == 0;
  if (!begins || key == no_key) {
    lengths[p] = 0;
    return;
  }
  const uint32_t limit = p + segment < pairs ? p + segment : pairs;
  const uint32_t end = first_where(p + 1, limit, [&](uint32_t i) { return !has_key(i); });
  lengths[p] = static_cast<uint8_t>(end - p) | (first ? 0 : continued);
  if (first) return;
  next_keys[p / segment] = key;
  next_values[p / segment] = p / segment;
}

// N rows, in order; their loads are under way together.
template <int N, class Op, class B>
DEVICE void take_rows(B& value, const B* source, int64_t stride, const uint32_t* values) {
  const B* from[N];
  B row[N];
#pragma unroll
  for (int i = 0; i < N; ++i) from[i] = source + values[i] * stride;
#pragma unroll
  for (int i = 0; i < N; ++i) row[i] = *from[i];
#pragma unroll
  for (int i = 0; i < N; ++i) Op::apply(value, row[i]);
}

// Thread: a sorted pair and a B, one or several elements, of its row. sums[pair / 64]: the row that
// the next round adds.
template <class Op, class B, class Key>
__global__ __launch_bounds__(sorted_threads, 4) void scatter_sorted_kernel(
    B* target, const B* source, B* sums, Plan plan, Divisor width, uint32_t pairs, Key target_size,
    const Key* keys, const uint32_t* values, const uint8_t* lengths) {
  const uint32_t thread = blockIdx.x * sorted_threads + threadIdx.x;
  const uint32_t pair = width.divide(thread), column = thread - pair * width.value;
  if (pair >= pairs) return;
  const Key key = keys[pair];
  const uint8_t marked = lengths[pair];
  if (marked == 0) return;
  const bool next = (marked & continued) != 0;
  const Key line = plan.rows ? 0 : key / target_size;
  const Place place = place_of(plan.across, plan.rows ? column : static_cast<uint32_t>(line));
  B* const to = next ? sums + (int64_t{pair / segment} * width.value + column)
                     : target + (place.target + static_cast<int64_t>(key - line * target_size) *
                                                    plan.along.target);
  B value{};
  if (std::is_same_v<Op, Add> && !next) value = *to;
  const B* const from = source + place.source;
  const int64_t stride = plan.along.source;
  values += pair;
  const uint32_t* const end = values + (marked & (continued - 1));
  for (; end - values >= 8; values += 8) take_rows<8, Op>(value, from, stride, values);
  if (end - values >= 4) take_rows<4, Op>(value, from, stride, values), values += 4;
  if (end - values >= 2) take_rows<2, Op>(value, from, stride, values), values += 2;
  if (end - values >= 1) take_rows<1, Op>(value, from, stride, values);
  *to = value;
}

namespace {

// The plan of the next round, whose source is `sums`.
Plan plan_of_sums(Plan plan, uint32_t width) {
  int64_t stride = plan.rows ? 1 : 0;  // without rows, a sum is one element
  for (int axis = 0; axis < plan.across.rank; ++axis) {
    plan.across.source[axis] = stride;
    stride *= plan.across.size[axis].value;
  }
  plan.along.source = width;
  return plan;
}

template <class Op, class B, class Key>
void scatter_pairs(B* target, const B* source, const Plan& plan, uint32_t width, uint32_t pairs,
                   int64_t target_size, const Key* keys, const uint32_t* values) {
  const bool adds = std::is_same_v<Op, Add>;
  const uint32_t sums = adds && pairs > segment ? divide_up(pairs, segment) : 0;
  const Scratch lengths(pairs), next_keys(sums * sizeof(Key)), next_values(sums * sizeof(uint32_t));
  const Scratch next_source(size_t{sums} * width * sizeof(B));
  launch<segment_kernel<Op, Key>>(
      {.grid = divide_up(pairs, sorted_threads), .block = sorted_threads}, keys, pairs,
      lengths.as<uint8_t>(), next_keys.as<Key>(), next_values.as<uint32_t>());
  launch<scatter_sorted_kernel<Op, B, Key>>(
      {.grid = divide_up(int64_t{pairs} * width, sorted_threads), .block = sorted_threads}, target,
      source, next_source.as<B>(), plan, Divisor(width), pairs, static_cast<Key>(target_size), keys,
      values, lengths.as<uint8_t>());
  if (sums > 0)
    scatter_pairs<Op>(target, next_source.as<const B>(), plan_of_sums(plan, width), width, sums,
                      target_size, next_keys.as<const Key>(), next_values.as<const uint32_t>());
}

template <class Key>
void scatter_by(const cpu::IndexArgs& args, bool add, const Plan& plan, int64_t keys) {
  const uint32_t lines = plan.rows ? 1 : plan.across.count;
  const uint32_t length = static_cast<uint32_t>(plan.along.size), pairs = lines * length;
  RadixSort<Key> order(pairs);
  visit_index(args.index_type, [&]<class Index>(Type<Index>) {
    launch<key_kernel<Key, Index>>(
        {.grid = divide_up(pairs, sorted_threads), .block = sorted_threads},
        static_cast<const Index*>(args.index), plan, Divisor(length), lines, args.target_size,
        order.keys(), order.values());
  });
  order.sort(std::bit_width(static_cast<uint64_t>(keys - 1)));
  const int elements = plan.rows ? vector_elements(args) : 1;
  const Plan wide = make_plan(args, elements);
  const uint32_t width = plan.rows ? wide.across.count : 1;
  visit_update(args.dtype, add, [&]<class Op, class T>(Op, Type<T>) {
    const auto scatter = [&]<class B>(Type<B>) {
      scatter_pairs<Op, B, Key>(static_cast<B*>(args.target), static_cast<const B*>(args.source),
                                wide, width, pairs, args.target_size, order.keys(), order.values());
    };
    if (elements > 1)
      scatter(Type<Vec<T, vector_width<T>>>{});
    else
      scatter(Type<T>{});
  });
}

}  // namespace

void scatter_sorted(const cpu::IndexArgs& args, bool add) {
  const Plan plan = make_plan(args);
  const int64_t keys = (plan.rows ? 1 : plan.across.count) * args.target_size;
  if (keys < int64_t{1} << 32)  // ~0 is no key
    scatter_by<uint32_t>(args, add, plan, keys);
  else
    scatter_by<uint64_t>(args, add, plan, keys);
}

}  // namespace strata::gpu::index
