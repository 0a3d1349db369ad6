// Pooling of NHWC images: each output pixel is the maximum or the mean of a window of the input,
// channel by channel.
//
//   max   out[n, p, q, c] = max of x[n, h, w, c] over h in rows(p), w in columns(q)
//   mean  out[n, p, q, c] = scale(p, q) * sum of x[n, h, w, c] over the same
//
// Windows are lists of ranges, one an axis, already clipped to the image: sliding, adaptive and
// global pooling differ only in the lists. Every loop runs along C, where memory is dense. Cost:
// one operation an element of each window; each input is read window / stride times, mostly from
// cache.
//
// f32 and f64. Results do not depend on the thread count.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/common/numeric.h"

namespace strata::cpu {

// Output i of an axis covers inputs begin[i] <= h < end[i], at least one; `divisor` is what its sum
// is divided by to give the mean.
struct PoolAxis {
  int64_t in = 0;
  std::vector<int64_t> begin, end, divisor;
  int64_t largest = 0;  // size of the largest window
  // How the lists were made, from which a GPU makes them again; window 0: adaptive.
  int64_t window = 0, stride = 0, before = 0;
  bool count_padding = false;

  int64_t out() const { return static_cast<int64_t>(begin.size()); }
};
// count_padding: the divisor is the window's full size, not what of it lies in the image.
PoolAxis sliding_axis(int64_t in, int64_t out, int64_t window, int64_t stride, int64_t before,
                      bool count_padding);
// Output i covers floor(i in / out) to ceil((i + 1) in / out).
PoolAxis adaptive_axis(int64_t in, int64_t out);

struct PoolShape {
  DType dtype = DType::f32;
  int64_t N = 0, C = 0;
  PoolAxis rows, columns;
  // Switches say where a maximum was: as u8, the place in the window, (h - begin) * largest width +
  // (w - begin); as i64, the place in the plane, h W + w.
  bool compact = false;
  bool fits_compact() const { return rows.largest * columns.largest <= 256; }
};

// switches (u8 or i64 by shape.compact) may be null.
void max_pool(const PoolShape& shape, const void* x, void* out, void* switches);
// image [N, H, W, C]: zero, plus each value added where its switch says; the adjoint of
// pool_gather.
void pool_scatter(const PoolShape& shape, const void* values, const void* switches, void* image);
// values [N, P, Q, C]: the image where the switch says.
void pool_gather(const PoolShape& shape, const void* image, const void* switches, void* values);

void mean_pool(const PoolShape& shape, const void* x, void* out);
// image: zero, plus scale(p, q) value at every pixel of the window; the adjoint of mean_pool.
void mean_pool_adjoint(const PoolShape& shape, const void* values, void* image);

}  // namespace strata::cpu

// The same on the current stream, with the CPU's order of additions; arrays are device memory. Made
// for axes of sliding_axis() and adaptive_axis().
namespace strata::gpu {

void max_pool(const cpu::PoolShape& shape, const void* x, void* out, void* switches);
void pool_scatter(const cpu::PoolShape& shape, const void* values, const void* switches,
                  void* image);
void pool_gather(const cpu::PoolShape& shape, const void* image, const void* switches,
                 void* values);
void mean_pool(const cpu::PoolShape& shape, const void* x, void* out);
void mean_pool_adjoint(const cpu::PoolShape& shape, const void* values, void* image);

}  // namespace strata::gpu
