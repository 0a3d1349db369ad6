// Operands in memory, of any type: asked for, converted, written.
#pragma once

#include "kernels/elementwise/chain.h"
#include "kernels/elementwise/functions.h"
#include "kernels/gpu/convert.h"
#include "kernels/gpu/gpu.h"

namespace strata::gpu::elementwise {

using cpu::max_operands;
using Offsets = int64_t[max_operands];  // of a body's first element, in elements, by operand

template <class F>
DEVICE void visit_type(DType type, F&& f) {
  switch (type) {
    case DType::f64:
      return f(Type<double>{});
    case DType::f32:
      return f(Type<float>{});
    case DType::bf16:
      return f(Type<bf16>{});
    case DType::f16:
      return f(Type<f16>{});
    case DType::i64:
      return f(Type<int64_t>{});
    case DType::i32:
      return f(Type<int32_t>{});
    case DType::u8:
      return f(Type<uint8_t>{});
    case DType::boolean:
      return f(Type<bool>{});
  }
}

// cast() by the hardware's conversions of 16-bit floats.
template <class To, class From>
DEVICE To convert(From value) {
  if constexpr (std::is_same_v<To, From>)
    return value;
  else if constexpr (!std::is_same_v<Compute<From>, From>)
    return convert<To>(to_float(value));
  else if constexpr (!std::is_same_v<Compute<To>, To>)
    return from_float<To>(cast<float>(value));
  else
    return cast<To>(value);
}

template <int V, class T, class C>
DEVICE void write_as(const C (&values)[V], void* data, int64_t offset) {
  T* to = static_cast<T*>(data) + offset;
  if constexpr (V == 1) {
    *to = convert<T>(values[0]);
  } else {
    constexpr int width = V < vector_width<T> ? V : vector_width<T>;
#pragma unroll
    for (int i = 0; i < V; i += width) {
      Vec<T, width> part;
      if constexpr (std::is_same_v<C, Compute<T>>) {
        C wide[width];
#pragma unroll
        for (int j = 0; j < width; ++j) wide[j] = values[i + j];
        part = contract<T>(wide);
      } else {
#pragma unroll
        for (int j = 0; j < width; ++j) part[j] = convert<T>(values[i + j]);
      }
      store_vector(to + i, part);
    }
  }
}

// What load() brought of an operand: V elements as they lie in memory, or one element for all V.
using Raw = Vec<uint32_t, 4>;

// Says that the words of `raw` may have changed: without this the compiler takes elements apart in
// each branch that loads some, and so waits for memory there.
DEVICE void keep_packed(Raw& raw) {
  PTX(asm volatile("" : "+r"(raw[0]), "+r"(raw[1]), "+r"(raw[2]), "+r"(raw[3]));)
  SIM((void)raw;)
}

struct Operands {
  void* data[max_operands];
  DType dtype[max_operands];
  uint8_t size[max_operands];    // of an element
  uint8_t access[max_operands];  // bytes that a body loads: of V elements or of one; 0: a number
  DType compute;                 // the type that values are cut to, where they are computed in i64
  unsigned broadcast;            // bit k: operand k is one element for all V
  unsigned numbers;              // bit k: operand k is number[k]
  struct {
    double real;
    int64_t whole;
  } number[max_operands];

  // Asks for V elements and does not look at them: a body loads all its operands before it
  // converts one, so that their ways to memory overlap. C: what they will be converted to.
  template <int V, class C>
  DEVICE void load(int k, const Offsets& offset, Raw& raw) const {
    const char* from = static_cast<const char*>(data[k]) + offset[k] * size[k];
    switch (access[k]) {
      case 0:
        return;
      case 1:
        raw[0] = *reinterpret_cast<const uint8_t*>(from);
        return;
      case 2:
        raw[0] = load_words<uint16_t, 1>(from)[0];
        return;
      case 4:
        raw[0] = load_words<uint32_t, 1>(from)[0];
        return;
      case 8: {
        const auto words = load_words<uint32_t, 2>(from);
        raw[0] = words[0], raw[1] = words[1];
        return;
      }
      case 16:
        raw = load_words<uint32_t, 4>(from);
        return;
      default:
        load_wide<V, C>(k, from, raw);
    }
  }
  // What load() brought, as C.
  template <int V, class C>
  DEVICE void take(int k, const Raw& raw, C (&values)[V]) const {
    if (numbers >> k & 1) {
#pragma unroll
      for (int i = 0; i < V; ++i)
        values[i] = std::is_floating_point_v<C> ? static_cast<C>(number[k].real)
                                                : static_cast<C>(number[k].whole);
      return;
    }
    visit_type(dtype[k], [&]<class T>(Type<T>) { take_typed<T>(k, raw, values); });
  }
  template <class T, int V, class C>
  DEVICE void take_typed(int k, const Raw& raw, C (&values)[V]) const {
    const uint32_t words[4] = {raw[0], raw[1], raw[2], raw[3]};  // as words, for the same reason
    if (V == 1 || broadcast >> k & 1) {
      T one;
      memcpy(&one, words, sizeof one);
      C value;
      if constexpr (V == 1 && std::is_same_v<C, int64_t>)
        value = narrowed(one);
      else
        value = convert<C>(one);
#pragma unroll
      for (int i = 0; i < V; ++i) values[i] = value;
    } else if constexpr (V > 1 && V * sizeof(T) <= sizeof(Raw)) {
      Vec<T, V> elements;
      memcpy(static_cast<void*>(&elements), words, sizeof elements);
      if constexpr (std::is_same_v<C, Compute<T>>) {
        expand(elements, values);
      } else {
#pragma unroll
        for (int i = 0; i < V; ++i) values[i] = convert<C>(elements[i]);
      }
    } else if constexpr (is_wide<T, V, C>) {
      memcpy(values, words, sizeof values);
    }
  }
  template <int V, class C>
  DEVICE void read(int k, const Offsets& offset, C (&values)[V]) const {
    Raw raw{};
    load<V, C>(k, offset, raw);
    keep_packed(raw);
    take(k, raw, values);
  }
  template <int V, class C>
  DEVICE void write(const Offsets& offset, const C (&values)[V]) const {
    visit_type(dtype[0], [&]<class T>(Type<T>) { write_as<V, T>(values, data[0], offset[0]); });
  }

 private:
  template <class W, int N>
  DEVICE static Vec<W, N> load_words(const char* from) {
    return load_vector<N>(reinterpret_cast<const W*>(from));
  }
  // Elements of 8 bytes beside values of 4: what does not fit as it is does so when converted, and
  // such operands are rare enough to be waited for.
  template <class T, int V, class C>
  static constexpr bool is_wide = sizeof(T) == 8 && V == 4 && sizeof(C) == 4;
  template <int V, class C>
  DEVICE void load_wide(int k, const char* from, Raw& raw) const {
    if constexpr (is_wide<double, V, C>) {
      auto convert_all = [&]<class T>(Type<T>) {
        C values[V];
#pragma unroll
        for (int i = 0; i < V; i += 2) {
          const auto part = load_words<T, 2>(from + i * static_cast<int>(sizeof(T)));
          values[i] = convert<C>(part[0]), values[i + 1] = convert<C>(part[1]);
        }
        memcpy(raw.data, values, sizeof values);
      };
      dtype[k] == DType::f64 ? convert_all(Type<double>{}) : convert_all(Type<int64_t>{});
    }
  }
  // As the CPU converts to the type it computes in.
  template <class T>
  DEVICE int64_t narrowed(T value) const {
    switch (compute) {
      case DType::i32:
        return cast<int32_t>(value);
      case DType::u8:
        return cast<uint8_t>(value);
      case DType::boolean:
        return cast<bool>(value);
      default:
        return cast<int64_t>(value);
    }
  }
};

}  // namespace strata::gpu::elementwise
