// What the pooling kernels share: windows in closed form, places of NHWC arrays, and channels V at
// a time. A thread takes V neighbouring channels of one pixel, so a warp reads whole sectors.
#pragma once

#include <algorithm>

#include "kernels/gpu/divisor.h"
#include "kernels/gpu/gpu.h"
#include "kernels/pool/pool.h"

namespace strata::gpu::pool {

// The lists of a cpu::PoolAxis, from how they were made. Output i covers begin(i) <= h < end(i);
// input h is covered by the outputs first(h) .. last(h).
struct Axis {
  int in, out, window, stride, before, largest;
  bool count_padding;
  Divisor by_stride;
  double per_in, per_out;  // 1 / in, 1 / out

  explicit Axis(const cpu::PoolAxis& axis)
      : in(static_cast<int>(axis.in)),
        out(static_cast<int>(axis.out())),
        window(static_cast<int>(axis.window)),
        stride(static_cast<int>(axis.stride)),
        before(static_cast<int>(axis.before)),
        largest(static_cast<int>(axis.largest)),
        count_padding(axis.count_padding),
        by_stride(static_cast<uint32_t>(std::max<int64_t>(axis.stride, 1))),
        per_in(1.0 / in),
        per_out(1.0 / out) {}

  // a / b for 0 <= a < 2^62, with a quotient below 2^31: by the reciprocal, then corrected. A
  // division of 64 bits is a call, and costs a few times as much.
  static DEVICE int divide(int64_t a, int b, double reciprocal) {
    int64_t quotient = static_cast<int64_t>(static_cast<double>(a) * reciprocal);
    const int64_t rest = a - quotient * b;
    quotient += rest >= b;
    quotient -= rest < 0;
    return static_cast<int>(quotient);
  }

  DEVICE int begin(int i) const {
    if (window == 0) return divide(int64_t{i} * in, out, per_out);
    return max(i * stride - before, 0);
  }
  DEVICE int end(int i) const {
    if (window == 0) return divide((int64_t{i} + 1) * in + out - 1, out, per_out);
    return min(i * stride - before + window, in);
  }
  DEVICE int first(int h) const {
    if (window == 0) return divide(int64_t{h} * out, in, per_in);
    const int shifted =
        h + before - window;  // the last input before the first window that covers h
    return shifted < 0 ? 0 : static_cast<int>(by_stride.divide(static_cast<uint32_t>(shifted))) + 1;
  }
  DEVICE int last(int h) const {
    if (window == 0) return divide((int64_t{h} + 1) * out - 1, in, per_in);
    return min(static_cast<int>(by_stride.divide(static_cast<uint32_t>(h + before))), out - 1);
  }
  DEVICE int divisor(int i) const { return count_padding ? window : end(i) - begin(i); }
};

// Items are [N, rows, columns, C / V], numbered; an item's first channel is `channel`.
struct Item {
  int64_t n;
  int row, column, channel;
};
struct Items {
  uint32_t count;
  Divisor channels, columns, rows;
  int width;  // V

  Items(int64_t N, int64_t rows, int64_t columns, int64_t C, int V)
      : count(static_cast<uint32_t>(N * rows * columns * (C / V))),
        channels(static_cast<uint32_t>(C / V)),
        columns(static_cast<uint32_t>(columns)),
        rows(static_cast<uint32_t>(rows)),
        width(V) {}
  DEVICE Item operator()(uint32_t i) const {
    const uint32_t pixel = channels.divide(i), line = columns.divide(pixel), n = rows.divide(line);
    return {n, static_cast<int>(line - n * rows.value),
            static_cast<int>(pixel - line * columns.value),
            static_cast<int>(i - pixel * channels.value) * width};
  }
};

struct Geometry {
  Axis rows, columns;
  int64_t C;
  bool compact;

  explicit Geometry(const cpu::PoolShape& shape)
      : rows(shape.rows), columns(shape.columns), C(shape.C), compact(shape.compact) {}
  // Offset of a pixel's channel in the image, and in the pooled array.
  DEVICE int64_t in_image(int64_t n, int h, int w, int c) const {
    return ((n * rows.in + h) * columns.in + w) * C + c;
  }
  DEVICE int64_t pooled(int64_t n, int p, int q, int c) const {
    return ((n * rows.out + p) * columns.out + q) * C + c;
  }
};

template <int V, class T>
DEVICE void load(T (&values)[V], const T* from) {
  constexpr int width = V < vector_width<T> ? V : vector_width<T>;
  if constexpr (V == 1) {
    values[0] = *from;
  } else {
#pragma unroll
    for (int i = 0; i < V; i += width) {
      const Vec<T, width> part = load_vector<width>(from + i);
#pragma unroll
      for (int j = 0; j < width; ++j) values[i + j] = part[j];
    }
  }
}
template <int V, class T>
DEVICE void store(const T (&values)[V], T* to) {
  constexpr int width = V < vector_width<T> ? V : vector_width<T>;
  if constexpr (V == 1) {
    *to = values[0];
  } else {
#pragma unroll
    for (int i = 0; i < V; i += width) {
      Vec<T, width> part;
#pragma unroll
      for (int j = 0; j < width; ++j) part[j] = values[i + j];
      store_vector(to + i, part);
    }
  }
}

// Whether channels can move V at a time: all arrays (null ones too) begin and go on aligned.
inline bool aligned(int64_t C, int V, std::initializer_list<const void*> arrays) {
  bool fits = C % V == 0;
  for (const void* array : arrays) fits &= reinterpret_cast<uintptr_t>(array) % 16 == 0;
  return fits;
}

// Calls f(Type<T>, constant V) with the type and the width to use.
template <class F>
void visit_width(DType type, int64_t C, std::initializer_list<const void*> arrays, F&& f) {
  auto choose = [&]<class T>(Type<T> element) {
    constexpr int V = vector_width<T>;
    if (aligned(C, V, arrays)) return f(element, std::integral_constant<int, V>{});
    f(element, std::integral_constant<int, 1>{});
  };
  if (type == DType::f64) return choose(Type<double>{});
  choose(Type<float>{});
}

// Calls f(first image, images) so that each call has fewer than 2^31 items.
template <class F>
void for_each_batch(int64_t N, int64_t elements_of_image, F&& f) {
  if (N == 0 || elements_of_image == 0) return;
  const int64_t limit = (int64_t{1} << 31) - 1, images = limit / elements_of_image;
  if (images == 0)
    throw Error("an image of " + std::to_string(elements_of_image) +
                " elements: the GPU's pooling takes fewer than 2^31");
  for (int64_t first = 0; first < N; first += images) f(first, std::min(images, N - first));
}

inline constexpr int threads = 256;

}  // namespace strata::gpu::pool
