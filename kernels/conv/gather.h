// A convolution as a matrix product whose left operand is gathered: row m is a pixel of the
// destination, column k is a tap and a channel, and element (m, k) is the channel of the source
// pixel that the tap meets from there, or zero in the padding. No patch is ever stored (im2col);
// its elements' addresses are computed where they are loaded.
//
//   forward          destination out, source x:   h = p stride - top + r dilation
//   weight gradient  the same gather, as the right operand
//   input gradient   destination gx, source g:    p = (h + top - r dilation) / stride
//
// In the input gradient only some taps divide evenly, the same ones for all h of a residue class
// modulo the stride. Within a class, h = class + i stride and the p of its taps walk in even steps:
// again a gather of stride 1, with a negative dilation. So the input gradient is stride_h stride_w
// products that skip nothing and multiply no zeros (input_gradient_classes()).
#pragma once

#include <numeric>
#include <vector>

#include "kernels/conv/rung.h"
#include "kernels/gpu/gpu.h"

namespace strata::gpu::conv {

// n / d for 0 <= n < 2^31 by a multiplication: with p = 31 + ceil(log2 d) and m = ceil(2^p / d), it
// is (n m) >> p. Source: Granlund, Montgomery, "Division by Invariant Integers using
// Multiplication".
struct Divisor {
  unsigned divisor = 1, factor = 0, shift = 0;

  Divisor() = default;
  explicit Divisor(int64_t d) : divisor(static_cast<unsigned>(d > 0 ? d : 1)) {
    unsigned bits = 0;
    while ((uint64_t{1} << bits) < divisor) ++bits;
    if (bits == 0) return;
    factor = static_cast<unsigned>(((uint64_t{1} << (31 + bits)) + divisor - 1) / divisor);
    shift = bits - 1;
  }
  DEVICE int quotient(int n) const {
    const unsigned value = static_cast<unsigned>(n);
    return static_cast<int>(divisor == 1 ? value : __umulhi(value, factor) >> shift);
  }
};

// Where a destination pixel looks: image n, and the place that tap 0, 0 meets.
struct Place {
  int n, h, w;
};
// What a column k of the gathered matrix adds: a shift of the place, and a channel of the group.
struct Tap {
  int h, w, channel;
};

struct Gather {
  int N = 0, rows = 0, columns = 0;  // destination pixels of this product
  Divisor per_image, per_row;
  int H = 0, W = 0, pitch = 0;  // the source; pitch: channels of all groups
  int stride_h = 1, stride_w = 1, dilation_h = 1, dilation_w = 1, offset_h = 0, offset_w = 0;
  int R = 0, S = 0;  // taps of this product
  Divisor per_tap_row;
  int channels = 0;  // of the source, a group
  Divisor per_tap;
  int first_r = 0, step_r = 1, first_s = 0, step_s = 1, weight_taps = 0, weight_S = 0;
  int out_H = 0, out_W = 0, out_pitch = 0;
  int out_first_h = 0, out_step_h = 1, out_first_w = 0, out_step_w = 1;
  int out_channels = 0;  // of the destination, a group

  __host__ __device__ int pixels() const { return N * rows * columns; }
  __host__ __device__ int K() const { return R * S * channels; }

  DEVICE Place place(int m) const {
    if (m >= pixels()) return {0, -(1 << 30), 0};  // meets nothing
    const int n = per_image.quotient(m), rest = m - n * rows * columns;
    const int row = per_row.quotient(rest), column = rest - row * columns;
    return {n, row * stride_h + offset_h, column * stride_w + offset_w};
  }
  DEVICE Tap tap(int k) const {
    const int index = per_tap.quotient(k), r = per_tap_row.quotient(index);
    return {r * dilation_h, (index - r * S) * dilation_w, k - index * channels};
  }
  // The first of the tap's channels, or null in the padding.
  template <class T>
  DEVICE const T* address(const T* source, const Place& place, const Tap& tap) const {
    const int h = place.h + tap.h, w = place.w + tap.w;
    const bool inside = static_cast<unsigned>(h) < static_cast<unsigned>(H) &&
                        static_cast<unsigned>(w) < static_cast<unsigned>(W);
    if (!inside) return nullptr;
    return source + ((static_cast<int64_t>(place.n) * H + h) * W + w) * pitch + tap.channel;
  }
  // Tap number `index` of this product as the weight counts its taps.
  DEVICE int weight_tap(int index) const {
    const int r = per_tap_row.quotient(index);
    return (first_r + r * step_r) * weight_S + first_s + (index - r * S) * step_s;
  }
  // Channel 0 of destination pixel m.
  DEVICE int64_t destination(int m) const {
    const int n = per_image.quotient(m), rest = m - n * rows * columns;
    const int row = per_row.quotient(rest), column = rest - row * columns;
    return ((static_cast<int64_t>(n) * out_H + out_first_h + row * out_step_h) * out_W +
            out_first_w + column * out_step_w) *
           out_pitch;
  }
  void prepare() {
    per_image = Divisor(static_cast<int64_t>(rows) * columns);
    per_row = Divisor(columns);
    per_tap_row = Divisor(S);
    per_tap = Divisor(channels);
  }
};

inline Gather forward_gather(const ConvShape& k) {
  auto narrow = [](int64_t value) { return static_cast<int>(value); };
  Gather g;
  g.N = narrow(k.N), g.rows = narrow(k.P), g.columns = narrow(k.Q);
  g.H = narrow(k.H), g.W = narrow(k.W), g.pitch = narrow(k.C);
  g.stride_h = narrow(k.stride_h), g.stride_w = narrow(k.stride_w);
  g.dilation_h = narrow(k.dilation_h), g.dilation_w = narrow(k.dilation_w);
  g.offset_h = narrow(-k.top), g.offset_w = narrow(-k.left);
  g.R = narrow(k.R), g.S = narrow(k.S), g.channels = narrow(k.C / k.groups);
  g.weight_taps = narrow(k.R * k.S), g.weight_S = narrow(k.S);
  g.out_H = narrow(k.P), g.out_W = narrow(k.Q), g.out_pitch = narrow(k.O);
  g.out_channels = narrow(k.O / k.groups);
  g.prepare();
  return g;
}

// One axis of one residue class: its pixels are residue + i stride; tap first + j step meets
// p = offset + i + j dilation.
struct ClassAxis {
  int count = 0, first = 0, step = 1, taps = 0, offset = 0, dilation = 0;
};
inline ClassAxis class_axis(int64_t residue, int64_t size, int64_t kernel, int64_t stride,
                            int64_t dilation, int64_t begin) {
  ClassAxis axis;
  axis.count = static_cast<int>((size - residue + stride - 1) / stride);
  const int64_t step = stride / std::gcd(stride, dilation);
  int64_t first = 0;
  while (first < kernel && (residue + begin - first * dilation) % stride != 0) ++first;
  if (first == kernel) return axis;
  axis.first = static_cast<int>(first), axis.step = static_cast<int>(step);
  axis.taps = static_cast<int>((kernel - first + step - 1) / step);
  axis.offset = static_cast<int>((residue + begin - first * dilation) / stride);
  axis.dilation = static_cast<int>(-step * dilation / stride);
  return axis;
}

inline std::vector<Gather> input_gradient_classes(const ConvShape& k) {
  auto narrow = [](int64_t value) { return static_cast<int>(value); };
  std::vector<Gather> classes;
  for (int64_t a = 0; a < std::min(k.stride_h, k.H); ++a) {
    for (int64_t b = 0; b < std::min(k.stride_w, k.W); ++b) {
      const ClassAxis h = class_axis(a, k.H, k.R, k.stride_h, k.dilation_h, k.top);
      const ClassAxis w = class_axis(b, k.W, k.S, k.stride_w, k.dilation_w, k.left);
      Gather g;
      g.N = narrow(k.N), g.rows = h.count, g.columns = w.count;
      g.H = narrow(k.P), g.W = narrow(k.Q), g.pitch = narrow(k.O);
      g.dilation_h = h.dilation, g.dilation_w = w.dilation;
      g.offset_h = h.offset, g.offset_w = w.offset;
      g.R = h.taps, g.S = w.taps, g.channels = narrow(k.O / k.groups);
      g.first_r = h.first, g.step_r = h.step, g.first_s = w.first, g.step_s = w.step;
      g.weight_taps = narrow(k.R * k.S), g.weight_S = narrow(k.S);
      g.out_H = narrow(k.H), g.out_W = narrow(k.W), g.out_pitch = narrow(k.C);
      g.out_first_h = narrow(a), g.out_step_h = narrow(k.stride_h);
      g.out_first_w = narrow(b), g.out_step_w = narrow(k.stride_w);
      g.out_channels = narrow(k.C / k.groups);
      g.prepare();
      classes.push_back(g);
    }
  }
  return classes;
}

}  // namespace strata::gpu::conv
