#include "kernels/pool/resample.h"

#include "kernels/pool/channels.h"

namespace strata::cpu {

namespace {

ResampleAxis make_axis(ResampleAxis::Kind kind, int64_t in, int64_t out) {
  ResampleAxis axis;
  axis.kind = kind;
  axis.in = in;
  for (int64_t i = 0; i < out; ++i) axis.taps.push_back(taps_of(kind, in, out, i));
  return axis;
}

}  // namespace

ResampleAxis nearest_axis(int64_t in, int64_t out) {
  return make_axis(ResampleAxis::Kind::nearest, in, out);
}
ResampleAxis linear_axis(int64_t in, int64_t out, bool align_corners) {
  using Kind = ResampleAxis::Kind;
  return make_axis(align_corners ? Kind::linear_corners : Kind::linear, in, out);
}

namespace {

using Taps = ResampleAxis::Taps;

template <class T>
void resample_typed(const ResampleShape& k, const T* x, T* out) {
  int64_t P = k.rows.out(), Q = k.columns.out(), W = k.columns.in;
  for_each_item(k.N * P, k.C, Q * k.C * 8, [&](int64_t item, int64_t first, int64_t last) {
    const Taps& row = k.rows.taps[item % P];
    const T* image = x + item / P * k.rows.in * W * k.C;
    const T *top = image + row.first * W * k.C, *bottom = image + row.second * W * k.C;
    for (int64_t q = 0; q < Q; ++q) {
      const Taps& column = k.columns.taps[q];
      T* pixel = out + (item * Q + q) * k.C;
      const T *top_left = top + column.first * k.C, *top_right = top + column.second * k.C;
      if (row.weight == 0 && column.weight == 0) {
        std::copy(top_left + first, top_left + last, pixel + first);
        continue;
      }
      const T *bottom_left = bottom + column.first * k.C,
              *bottom_right = bottom + column.second * k.C;
      T v = static_cast<T>(row.weight), u = static_cast<T>(column.weight);
      for (int64_t c = first; c < last; ++c) {
        pixel[c] = (1 - v) * ((1 - u) * top_left[c] + u * top_right[c]) +
                   v * ((1 - u) * bottom_left[c] + u * bottom_right[c]);
      }
    }
  });
}

template <class T>
void add_scaled(const T* value, T scale, int64_t first, int64_t last, T* out) {
  if (scale == 0) return;
  for (int64_t c = first; c < last; ++c) out[c] += scale * value[c];
}

template <class T>
void resample_adjoint_typed(const ResampleShape& k, const T* values, T* image) {
  int64_t P = k.rows.out(), Q = k.columns.out(), W = k.columns.in, pixels = k.rows.in * W;
  int64_t cost = (pixels + P * Q * 8) * k.C;
  for_each_item(k.N, k.C, cost, [&](int64_t n, int64_t first, int64_t last) {
    T* plane = image + n * pixels * k.C;
    for (int64_t i = 0; i < pixels; ++i) {
      std::fill(plane + i * k.C + first, plane + i * k.C + last, T(0));
    }
    for (int64_t p = 0; p < P; ++p) {
      const Taps& row = k.rows.taps[p];
      T *top = plane + row.first * W * k.C, *bottom = plane + row.second * W * k.C;
      for (int64_t q = 0; q < Q; ++q) {
        const Taps& column = k.columns.taps[q];
        const T* value = values + ((n * P + p) * Q + q) * k.C;
        T v = static_cast<T>(row.weight), u = static_cast<T>(column.weight);
        add_scaled(value, (1 - v) * (1 - u), first, last, top + column.first * k.C);
        add_scaled(value, (1 - v) * u, first, last, top + column.second * k.C);
        add_scaled(value, v * (1 - u), first, last, bottom + column.first * k.C);
        add_scaled(value, v * u, first, last, bottom + column.second * k.C);
      }
    }
  });
}

}  // namespace

void resample(const ResampleShape& shape, const void* x, void* out) {
  if (shape.dtype == DType::f64) {
    resample_typed(shape, static_cast<const double*>(x), static_cast<double*>(out));
  } else {
    resample_typed(shape, static_cast<const float*>(x), static_cast<float*>(out));
  }
}
void resample_adjoint(const ResampleShape& shape, const void* values, void* image) {
  if (shape.dtype == DType::f64) {
    resample_adjoint_typed(shape, static_cast<const double*>(values), static_cast<double*>(image));
  } else {
    resample_adjoint_typed(shape, static_cast<const float*>(values), static_cast<float*>(image));
  }
}

}  // namespace strata::cpu
