// Resampling of NHWC images: each output pixel is a weighted mean of two rows and two columns.
//
//   out[n, p, q, c] = sum over a, b in {0, 1} of v[p][a] u[q][b] x[n, row[p][a], column[q][b], c]
//
// Bilinear interpolation has all four terms; nearest is the case of one, weight 1. The adjoint adds
// each output's value to the pixels it was read from. Cost: 8 operations an output (2 for nearest).
// f32 and f64. Results do not depend on the thread count.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/common/host_device.h"
#include "kernels/common/numeric.h"

namespace strata::cpu {

struct ResampleAxis {
  struct Taps {
    int64_t first, second;
    double weight;  // of the second; the first has 1 - weight
  };
  enum class Kind : uint8_t { nearest, linear, linear_corners };
  Kind kind = Kind::nearest;
  int64_t in = 0;
  std::vector<Taps> taps;  // one an output

  int64_t out() const { return static_cast<int64_t>(taps.size()); }
};
// Output i reads input floor(i in / out).
ResampleAxis nearest_axis(int64_t in, int64_t out);
// Output i reads at (i + 1/2) in / out - 1/2, clamped to the image; with align_corners at
// i (in - 1) / (out - 1).
ResampleAxis linear_axis(int64_t in, int64_t out, bool align_corners);

// The taps of one output.
STRATA_HOST_DEVICE inline ResampleAxis::Taps taps_of(ResampleAxis::Kind kind, int64_t in,
                                                     int64_t out, int64_t i) {
  using Kind = ResampleAxis::Kind;
  if (kind == Kind::nearest) return {i * in / out, i * in / out, 0.0};
  const double size = static_cast<double>(in), outputs = static_cast<double>(out);
  double place = static_cast<double>(i);
  if (kind == Kind::linear_corners) {
    place = out > 1 ? place * (size - 1) / (outputs - 1) : 0;
  } else {
    place = (place + 0.5) * size / outputs - 0.5;
    if (place < 0) place = 0;
  }
  int64_t first = static_cast<int64_t>(place);
  if (first > in - 1) first = in - 1;
  const int64_t second = first + 1 < in ? first + 1 : in - 1;
  return {first, second, second > first ? place - static_cast<double>(first) : 0};
}

struct ResampleShape {
  DType dtype = DType::f32;
  int64_t N = 0, C = 0;
  ResampleAxis rows, columns;
};

void resample(const ResampleShape& shape, const void* x, void* out);
void resample_adjoint(const ResampleShape& shape, const void* values, void* image);

}  // namespace strata::cpu

// The same on the current stream; arrays are device memory. The adjoint adds in the CPU's order.
namespace strata::gpu {
void resample(const cpu::ResampleShape& shape, const void* x, void* out);
void resample_adjoint(const cpu::ResampleShape& shape, const void* values, void* image);
}  // namespace strata::gpu
