// What the pooling kernels share: windows in closed form, places of NHWC arrays, and channels V at
// a time. A thread takes V neighbouring channels of one pixel, so a warp reads whole sectors.
#pragma once

#include <algorithm>

#include "kernels/gpu/divisor.h"
#include "kernels/gpu/elements.h"
#include "kernels/gpu/gpu.h"
#include "kernels/pool/pool.h"

namespace strata::gpu::pool {

struct Range {
  int begin, end;
  DEVICE int size() const { return end - begin; }
  DEVICE bool holds(int i) const {
    return static_cast<unsigned>(i - begin) < static_cast<unsigned>(size());
  }
};

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

  // `sliding`: the kernel knows that the axis is not adaptive.
  template <bool sliding = false>
  DEVICE int begin(int i) const {
    if (!sliding && window == 0) return divide(int64_t{i} * in, out, per_out);
    return max(i * stride - before, 0);
  }
  template <bool sliding = false>
  DEVICE int end(int i) const {
    if (!sliding && window == 0) return divide((int64_t{i} + 1) * in + out - 1, out, per_out);
    return min(i * stride - before + window, in);
  }
  template <bool sliding = false>
  DEVICE Range range(int i) const {
    return {begin<sliding>(i), end<sliding>(i)};
  }
  template <bool sliding = false>
  DEVICE int first(int h) const {
    if (!sliding && window == 0) return divide(int64_t{h} * out, in, per_in);
    const int shifted =
        h + before - window;  // the last input before the first window that covers h
    return shifted < 0 ? 0 : static_cast<int>(by_stride.divide(static_cast<uint32_t>(shifted))) + 1;
  }
  template <bool sliding = false>
  DEVICE int last(int h) const {
    if (!sliding && window == 0) return divide((int64_t{h} + 1) * out - 1, in, per_in);
    return min(static_cast<int>(by_stride.divide(static_cast<uint32_t>(h + before))), out - 1);
  }
  DEVICE int divisor(Range covered) const { return count_padding ? window : covered.size(); }
};

// Items are [N, rows, columns, C / V], numbered; an item's first channel is `channel`. Where the
// rows allow it, 2 or 4 of a column follow each other, so that a block is a patch of the plane
// rather than a line: windows that neighbours share are then fetched once a block, not once a row.
struct Item {
  uint32_t n;
  int row, column, channel;
};
struct Items {
  uint32_t count;
  Divisor channels, columns, groups;  // groups of rows
  uint32_t height;                    // rows of a group, as a power of two
  int width;                          // V

  Items(int64_t N, int64_t rows, int64_t columns, int64_t C, int V)
      : count(static_cast<uint32_t>(N * rows * columns * (C / V))),
        channels(static_cast<uint32_t>(C / V)),
        columns(static_cast<uint32_t>(columns)),
        height(rows % 4 == 0   ? 2
               : rows % 2 == 0 ? 1
                               : 0),
        width(V) {
    groups = Divisor(static_cast<uint32_t>(rows >> height));
  }
  DEVICE Item operator()(uint32_t i) const {
    const uint32_t pixel = channels.divide(i), column = pixel >> height;
    const uint32_t group = columns.divide(column), n = groups.divide(group);
    const uint32_t row = ((group - n * groups.value) << height) + pixel - (column << height);
    return {n, static_cast<int>(row), static_cast<int>(column - group * columns.value),
            static_cast<int>(i - pixel * channels.value) * width};
  }
};

struct Geometry {
  Axis rows, columns;
  int C;
  bool compact;
  int64_t image, pooled_image;  // elements

  explicit Geometry(const cpu::PoolShape& shape)
      : rows(shape.rows),
        columns(shape.columns),
        C(static_cast<int>(shape.C)),
        compact(shape.compact),
        image(shape.rows.in * shape.columns.in * shape.C),
        pooled_image(shape.rows.out() * shape.columns.out() * shape.C) {}
  // Offset of a pixel's channel in the image, and in the pooled array.
  DEVICE int64_t in_image(uint32_t n, int h, int w, int c) const {
    return n * image + (int64_t{h} * columns.in + w) * C + c;
  }
  DEVICE int64_t pooled(uint32_t n, int p, int q, int c) const {
    return n * pooled_image + (int64_t{p} * columns.out + q) * C + c;
  }
};

inline bool slides(const cpu::PoolShape& shape) {
  return shape.rows.window > 0 && shape.columns.window > 0;
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

// `blocks` of a multiprocessor leave a thread 80 registers, and 128 for f64. Without the figure
// ptxas looks for the most threads, and fits them by waiting for one load before it asks for the
// next.
inline constexpr int threads = 256;
template <class T>
inline constexpr int blocks = sizeof(T) == 8 ? 2 : 3;

}  // namespace strata::gpu::pool
