// What the sorts and the selection share: elements as unsigned keys in the same order (NaN largest,
// -0 equal to 0), where lines lie, and the writing of the result.
#pragma once

#include "kernels/gpu/divisor.h"
#include "kernels/gpu/gpu.h"
#include "kernels/index/sort.h"

namespace strata::gpu::order {

template <class T>
DEVICE uint64_t key_of(T element) {
  if constexpr (std::is_same_v<T, double> || std::is_same_v<Compute<T>, float>) {
    using Value = Compute<T>;
    using K = std::conditional_t<std::is_same_v<Value, double>, uint64_t, uint32_t>;
    constexpr K top = K{1} << (8 * sizeof(K) - 1);
    const Value value = widen(element);
    const K bits = std::bit_cast<K>(value == 0 ? Value(0) : value);
    const K key = bits & top ? static_cast<K>(~bits) : static_cast<K>(bits | top);
    return value != value ? static_cast<K>(~K{0}) : key;
  } else if constexpr (std::is_same_v<T, int64_t>) {
    return static_cast<uint64_t>(element) ^ uint64_t { 1 } << 63;
  } else if constexpr (std::is_same_v<T, int32_t>) {
    return static_cast<uint32_t>(element) ^ 0x80000000u;
  } else {
    return static_cast<uint64_t>(element);
  }
}
// The element that has a key, if only one does: false for NaN and zero.
template <class T, class K>
DEVICE bool element_of(K key, T& element) {
  constexpr K top = K{1} << (8 * sizeof(K) - 1);
  if constexpr (std::is_same_v<T, double> || std::is_same_v<Compute<T>, float>) {
    const K bits = key & top ? static_cast<K>(key ^ top) : static_cast<K>(~key);
    const auto value = std::bit_cast<Compute<T>>(bits);
    element = narrow<T>(value);
    return value == value && value != 0;
  } else {
    element = static_cast<T>(std::is_signed_v<T> ? key ^ top : key);
    return true;
  }
}
// The bits low <= bit < high that keys of the type differ in: those of a 16-bit float, widened, are
// the upper ones.
struct KeyBits {
  int high, low = 0;
};
constexpr KeyBits key_bits(DType type) {
  switch (type) {
    case DType::bf16:
      return {32, 16};
    case DType::f16:
      return {32, 13};
    case DType::u8:
      return {8};
    case DType::boolean:
      return {1};
    default:
      return {static_cast<int>(8 * size_of(type))};
  }
}

// Descending order is that of the complement.
DEVICE uint64_t key_at(DType type, const void* x, int64_t offset, bool descending) {
  uint64_t key = 0;
  switch (type) {
    case DType::f64:
      key = key_of(static_cast<const double*>(x)[offset]);
      break;
    case DType::f32:
      key = key_of(static_cast<const float*>(x)[offset]);
      break;
    case DType::bf16:
      key = key_of(static_cast<const bf16*>(x)[offset]);
      break;
    case DType::f16:
      key = key_of(static_cast<const f16*>(x)[offset]);
      break;
    case DType::i64:
      key = key_of(static_cast<const int64_t*>(x)[offset]);
      break;
    case DType::i32:
      key = key_of(static_cast<const int32_t*>(x)[offset]);
      break;
    case DType::u8:
      key = key_of(static_cast<const uint8_t*>(x)[offset]);
      break;
    case DType::boolean:
      key = key_of(static_cast<const bool*>(x)[offset]);
      break;
  }
  return descending ? ~key : key;
}

// The lines of x along the axis; the result is row-major, with k elements along it.
struct Lines {
  const void* x;
  void* values;  // may be null
  int64_t* indices;
  DType dtype;
  int bytes;  // of an element
  bool descending;
  uint32_t count, size, k;  // lines, elements of a line, elements wanted
  int64_t stride;           // of x along the axis
  Divisor inner;            // lines that follow each other: product of the sizes inside the axis
  int rank;                 // axes outside and inside together, innermost first
  Divisor sizes[8];
  int64_t strides[8];

  DEVICE int64_t start(uint32_t line) const {
    int64_t offset = 0;
    for (int axis = 0; axis < rank; ++axis) {
      const uint32_t rest = sizes[axis].divide(line);
      offset += static_cast<int64_t>(line - rest * sizes[axis].value) * strides[axis];
      line = rest;
    }
    return offset;
  }
  // Place j of the line holds element `index` of it.
  DEVICE void put(uint32_t line, uint32_t j, uint32_t index) const {
    const uint32_t outer = inner.divide(line);
    const int64_t to = (int64_t{outer} * k + j) * inner.value + (line - outer * inner.value);
    indices[to] = index;
    if (!values) return;
    const int64_t from = start(line) + int64_t{index} * stride;
    switch (bytes) {
      case 8:
        static_cast<uint64_t*>(values)[to] = static_cast<const uint64_t*>(x)[from];
        break;
      case 4:
        static_cast<uint32_t*>(values)[to] = static_cast<const uint32_t*>(x)[from];
        break;
      case 2:
        static_cast<uint16_t*>(values)[to] = static_cast<const uint16_t*>(x)[from];
        break;
      default:
        static_cast<uint8_t*>(values)[to] = static_cast<const uint8_t*>(x)[from];
    }
  }
};

// The rungs.
inline constexpr int64_t largest_bitonic = 2048;
void bitonic(const Lines& lines);
void radix(const Lines& lines);
inline constexpr uint32_t largest_by_warp = 1024;
bool fits_warp(const Lines& lines);
void warp_sort(const Lines& lines);
// Whether k is so small, and lines so long, that a selection is worth while.
inline constexpr int64_t largest_selected = 128;
bool selects(const Lines& lines);
void select(const Lines& lines);

}  // namespace strata::gpu::order
