// Sort and top-k of long lines: all lines at once by the radix sort of radix.h, first by key, then,
// stably, by line. Against rung 4 the line need not fit in shared memory, and a single long line
// fills the machine: 4 passes for 32-bit keys (2 for bf16, 3 for f16) and one for every factor of
// 256 in the number of lines.
//
// Top-k sorts everything and writes k (06_select.cu is for small k). Bytes: 20 an element and pass
// where keys have 32 bits, 32 where they have 64; then each value from where it was. Registers 10
// to 20.
#include <bit>

#include "kernels/index/order.h"
#include "kernels/index/radix.h"

namespace strata::gpu::order {

inline constexpr int radix_threads = 256;

template <class Key>
__global__ __launch_bounds__(radix_threads) void fill_keys_kernel(Lines lines, Divisor size,
                                                                  Key* keys, uint32_t* values) {
  const uint32_t i = blockIdx.x * radix_threads + threadIdx.x;
  if (i >= lines.count * lines.size) return;
  const uint32_t line = size.divide(i), place = i - line * lines.size;
  const int64_t from = lines.start(line) + place * lines.stride;
  keys[i] = static_cast<Key>(key_at(lines.dtype, lines.x, from, lines.descending));
  values[i] = i;
}
// keys[i] = the line of pair i.
template <class Key>
__global__ __launch_bounds__(radix_threads) void line_keys_kernel(const uint32_t* values,
                                                                  uint32_t count, Divisor size,
                                                                  Key* keys) {
  const uint32_t i = blockIdx.x * radix_threads + threadIdx.x;
  if (i < count) keys[i] = size.divide(values[i]);
}
__global__ __launch_bounds__(radix_threads) void put_kernel(Lines lines, Divisor wanted,
                                                            const uint32_t* values) {
  const uint32_t i = blockIdx.x * radix_threads + threadIdx.x;
  if (i >= lines.count * lines.k) return;
  const uint32_t line = wanted.divide(i), j = i - line * lines.k;
  lines.put(line, j, values[line * lines.size + j] - line * lines.size);
}
// A single line's keys end in order too, and tell most elements, which lie anywhere.
template <class T, class Key>
__global__ __launch_bounds__(radix_threads) void put_line_kernel(Lines lines, const Key* keys,
                                                                 const uint32_t* values) {
  const uint32_t j = blockIdx.x * radix_threads + threadIdx.x;
  if (j >= lines.k) return;
  const uint32_t index = values[j];
  lines.indices[j] = index;
  if (!lines.values) return;
  const Key key = lines.descending ? static_cast<Key>(~keys[j]) : keys[j];
  T element;
  if (!element_of(key, element)) element = static_cast<const T*>(lines.x)[index * lines.stride];
  static_cast<T*>(lines.values)[j] = element;
}

namespace {

template <class Key>
void put_line(const Lines& lines, const RadixSort<Key>& order) {
  visit(lines.dtype, [&]<class T>(Type<T>) {
    if constexpr ((sizeof(T) == 8) == (sizeof(Key) == 8))
      launch<put_line_kernel<T, Key>>(
          {.grid = divide_up(lines.k, radix_threads), .block = radix_threads}, lines,
          static_cast<const Key*>(order.keys()), static_cast<const uint32_t*>(order.values()));
  });
}

template <class Key>
void sort_by(const Lines& lines) {
  const int64_t count = int64_t{lines.count} * lines.size;
  RadixSort<Key> order(count);
  const Divisor size(lines.size), wanted(lines.k);
  const LaunchConfig config{.grid = divide_up(count, radix_threads), .block = radix_threads};
  launch<fill_keys_kernel<Key>>(config, lines, size, order.keys(), order.values());
  const KeyBits bits = key_bits(lines.dtype);
  order.sort(bits.high, bits.low);
  if (lines.count == 1) return put_line(lines, order);
  launch<line_keys_kernel<Key>>(config, order.values(), static_cast<uint32_t>(count), size,
                                order.keys());
  order.sort(std::bit_width(lines.count - 1));
  launch<put_kernel>(
      {.grid = divide_up(int64_t{lines.count} * lines.k, radix_threads), .block = radix_threads},
      lines, wanted, order.values());
}

}  // namespace

void radix(const Lines& lines) {
  if (lines.bytes == 8)
    sort_by<uint64_t>(lines);
  else
    sort_by<uint32_t>(lines);
}

}  // namespace strata::gpu::order
