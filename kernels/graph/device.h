// What the graph kernels share: V features of a row at a time, and the weights of edges.
#pragma once

#include "kernels/gpu/divisor.h"
#include "kernels/gpu/gpu.h"
#include "kernels/graph/graph.h"

namespace strata::gpu::graph {

inline constexpr int threads = 256;

template <int V, class T>
DEVICE void load(Compute<T> (&values)[V], const T* from) {
  if constexpr (V == 1) {
    values[0] = widen(*from);
  } else {
    const Vec<T, V> whole = load_vector<V>(from);
#pragma unroll
    for (int i = 0; i < V; ++i) values[i] = widen(whole[i]);
  }
}
template <int V, class T>
DEVICE void store(const Compute<T> (&values)[V], T* to) {
  if constexpr (V == 1) {
    *to = narrow<T>(values[0]);
  } else {
    Vec<T, V> whole;
#pragma unroll
    for (int i = 0; i < V; ++i) whole[i] = narrow<T>(values[i]);
    store_vector(to, whole);
  }
}

// The weight of an edge into `row`, with the division of a mean.
template <class T>
DEVICE Compute<T> weight_of(const AggregateArgs& a, int64_t e, int64_t row) {
  using S = Compute<T>;
  const S w = a.weight ? widen(static_cast<const T*>(a.weight)[e]) : S(1);
  if (a.op != Aggregate::mean) return w;
  return w / static_cast<S>(a.graph.offsets[row + 1] - a.graph.offsets[row]);
}

// A thread's row and first feature.
struct Mine {
  int64_t row;
  int c;
};
DEVICE Mine mine(uint32_t thread, const Divisor& parts, int V) {
  const uint32_t row = parts.divide(thread);
  return {row, static_cast<int>(thread - row * parts.value) * V};
}

// Calls f(Type<T>, constant V): 16 bytes of features a thread where rows allow it.
template <class F>
void visit_width(DType dtype, int64_t C, std::initializer_list<const void*> arrays, F&& f) {
  visit_float(dtype, [&]<class T>(Type<T> element) {
    bool fits = C % vector_width<T> == 0;
    for (const void* array : arrays) fits &= reinterpret_cast<uintptr_t>(array) % 16 == 0;
    if (fits) return f(element, std::integral_constant<int, vector_width<T>>{});
    f(element, std::integral_constant<int, 1>{});
  });
}

inline uint32_t threads_for(int64_t rows, int64_t C, int V, const char* what) {
  if (rows * (C / V) < int64_t{1} << 31) return static_cast<uint32_t>(rows * (C / V));
  throw Error(std::string(what) + " of " + std::to_string(rows) + " x " + std::to_string(C) +
              " features: the GPU's kernel takes fewer than 2^31 threads");
}

}  // namespace strata::gpu::graph
