// Sort and top-k of lines of up to 1024 elements: a warp a line, which lies in its registers. The
// network is that of rung 4, in the form in which all comparisons go one way (a merge begins with
// the mirror image of its second half), so the place of a partner is the own one xor a mask: masks
// below the number of registers compare registers of one thread, larger ones take a shuffle, and
// there is no barrier. Of the 55 steps for 1024 elements 40 are within a thread.
//
// An element and its index are one word, of 32 bits where the type has at most 16 (a float of 16
// bits, widened, has 19 that count) and else of 64. Shared memory holds the elements as they were,
// and turns the result: a thread ends with neighbours, which are better written by neighbours.
//
// Bytes: x once, values and indices of k places. Bound by instructions: 7000 a line of 1024 floats.
#include <bit>
#include <utility>

#include "kernels/index/order.h"

namespace strata::gpu::order {
namespace {

constexpr int warps = 4;  // lines of a block
constexpr uint32_t all_lanes = 0xffffffffu;

template <class T>
using Word = std::conditional_t<sizeof(T) == 4, uint64_t, uint32_t>;
static_assert(largest_by_warp == 32 * 32);

template <class T>
DEVICE Word<T> word_of(T element, uint32_t index, bool descending) {
  constexpr KeyBits bits = key_bits(dtype_of<T>());
  constexpr int index_bits = sizeof(T) == 4 ? 32 : std::bit_width(largest_by_warp - 1u);
  const uint32_t key = static_cast<uint32_t>(key_of(element));
  const uint32_t top = (descending ? ~key : key) << (32 - bits.high) >> (32 - bits.high + bits.low);
  return static_cast<Word<T>>(top) << index_bits | index;
}

DEVICE void put_in_order(uint32_t& a, uint32_t& b) {
  const uint32_t low = a < b ? a : b;
  b = a < b ? b : a;
  a = low;
}
// One comparison for both, and selections of halves: a minimum and a maximum compare twice.
DEVICE void put_in_order(uint64_t& a, uint64_t& b) {
  PTX(asm("{\n"
          ".reg .pred swap;\n"
          ".reg .b32 a_low, a_high, b_low, b_high, low, high;\n"
          "setp.lt.u64 swap, %1, %0;\n"
          "mov.b64 {a_low, a_high}, %0;\n"
          "mov.b64 {b_low, b_high}, %1;\n"
          "selp.b32 low, b_low, a_low, swap;\n"
          "selp.b32 high, b_high, a_high, swap;\n"
          "mov.b64 %0, {low, high};\n"
          "selp.b32 low, a_low, b_low, swap;\n"
          "selp.b32 high, a_high, b_high, swap;\n"
          "mov.b64 %1, {low, high};\n"
          "}"
          : "+l"(a), "+l"(b));)
  SIM(if (b < a) std::swap(a, b);)
}

// Register r and register r ^ mask.
template <class W, int R>
DEVICE void compare_registers(W (&word)[R], int mask) {
#pragma unroll
  for (int r = 0; r < R; ++r)
    if ((r ^ mask) > r) put_in_order(word[r], word[r ^ mask]);
}
// Register r and register r, or the last but r, of another lane. The lower one keeps the smaller.
template <bool Mirrored, class W, int R>
DEVICE void compare_lanes(W (&word)[R], int mask, bool lower) {
  const auto keep = [&](W mine, W other) { return (other < mine) == lower ? other : mine; };
  if constexpr (Mirrored && R > 1) {
#pragma unroll
    for (int r = 0; r < R / 2; ++r) {
      const W low = word[r], high = word[R - 1 - r];
      word[r] = keep(low, __shfl_xor_sync(all_lanes, high, mask));
      word[R - 1 - r] = keep(high, __shfl_xor_sync(all_lanes, low, mask));
    }
  } else {
#pragma unroll
    for (int r = 0; r < R; ++r) word[r] = keep(word[r], __shfl_xor_sync(all_lanes, word[r], mask));
  }
}
template <class W, int R>
DEVICE void merge_registers(W (&word)[R], int first) {
#pragma unroll
  for (int mask = first; mask > 0; mask /= 2) compare_registers(word, mask);
}
// Place p of the order is register p % R of lane p / R.
template <class W, int R>
DEVICE void sort_words(W (&word)[R]) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
#pragma unroll
  for (int size = 2; size <= R; size *= 2) {
    compare_registers(word, size - 1);
    merge_registers(word, size / 4);
  }
#pragma unroll 1
  for (int lanes = 2; lanes <= 32; lanes *= 2) {
    compare_lanes<true>(word, lanes - 1, (lane & lanes / 2) == 0);
#pragma unroll 1
    for (int mask = lanes / 4; mask > 0; mask /= 2)
      compare_lanes<false>(word, mask, (lane & mask) == 0);
    merge_registers(word, R / 2);
  }
}

template <class T, int R>
struct LineInWarp {
  T element[32 * R];
  uint32_t index[33 * R];  // of place p at p + p / 32: lanes that are R places apart
};

template <class T, int R>
__global__ __launch_bounds__(32 * warps, 5) void warp_sort_kernel(Lines lines) {
  struct Shared {
    LineInWarp<T, R> line[warps];
  };
  auto& shared = block_shared<Shared>().line[threadIdx.x / 32];
  const uint32_t lane = threadIdx.x % 32, line = blockIdx.x * warps + threadIdx.x / 32;
  if (line >= lines.count) return;
  const T* x = static_cast<const T*>(lines.x) + lines.start(line);
  T element[R];
  Word<T> word[R];
#pragma unroll
  for (int r = 0; r < R; ++r) {
    const uint32_t i = r * 32 + lane;
    element[r] = i < lines.size ? x[i * lines.stride] : T{};
  }
#pragma unroll
  for (int r = 0; r < R; ++r) {
    const uint32_t i = r * 32 + lane;
    shared.element[i] = element[r];
    const Word<T> behind = i < lines.size ? 0 : ~Word<T>{0};  // the line, and all that is in it
    word[r] = word_of(element[r], i, lines.descending) | behind;
  }
  sort_words(word);
#pragma unroll
  for (int r = 0; r < R; ++r) {
    const uint32_t p = lane * R + r;
    shared.index[p + p / 32] = static_cast<uint32_t>(word[r]) % largest_by_warp;
  }
  __syncwarp();
  const uint32_t outer = lines.inner.divide(line);
  const int64_t first =
      int64_t{outer} * lines.k * lines.inner.value + (line - outer * lines.inner.value);
#pragma unroll 4
  for (uint32_t p = lane; p < lines.k; p += 32) {
    const uint32_t index = shared.index[p + p / 32];
    const int64_t to = first + int64_t{p} * lines.inner.value;
    lines.indices[to] = index;
    if (lines.values) static_cast<T*>(lines.values)[to] = shared.element[index];
  }
}

template <class T, int R = 1>
void sort_by_warp(const Lines& lines) {
  if constexpr (R < 32) {
    if (lines.size > 32 * R) return sort_by_warp<T, 2 * R>(lines);
  }
  launch<warp_sort_kernel<T, R>>({.grid = divide_up(lines.count, warps), .block = 32 * warps},
                                 lines);
}

}  // namespace

bool fits_warp(const Lines& lines) { return lines.size <= largest_by_warp && lines.bytes <= 4; }

void warp_sort(const Lines& lines) {
  visit(lines.dtype, [&]<class T>(Type<T>) {
    if constexpr (sizeof(T) <= 4) sort_by_warp<T>(lines);
  });
}

}  // namespace strata::gpu::order
