// The maximum and the mean of windows: one thread an output pixel and V channels (4 of f32, 2 of
// f64: 16 bytes; 1 where C or an address is odd). Windows overlap, but what neighbours share comes
// from L1 and L2: from device memory each input is read once. No shared memory.
//
// FLOPs: one an element of each window. Bytes: image and output once; the switches of a maximum are
// 1 byte each (place in the window) or 8 (place in the plane). Registers 40 to 58. Run on an H200
// by its tests, not timed.
#include <limits>

#include "kernels/pool/device.h"

namespace strata::gpu {
namespace pool {

// NaN wins, and the first value does among equals.
template <class T, int V>
__global__ __launch_bounds__(threads) void max_kernel(Geometry k, Items items, const T* x, T* out,
                                                      uint8_t* compact, int64_t* planar) {
  const uint32_t index = blockIdx.x * threads + threadIdx.x;
  if (index >= items.count) return;
  const auto [n, p, q, c] = items(index);
  T best[V], value[V];
  int where[V];
#pragma unroll
  for (int i = 0; i < V; ++i) {
    best[i] = -std::numeric_limits<T>::infinity();
    where[i] = 0;
  }
  const int h0 = k.rows.begin(p), w0 = k.columns.begin(q);
  const int h1 = k.rows.end(p), w1 = k.columns.end(q);
  for (int h = h0; h < h1; ++h) {
    for (int w = w0; w < w1; ++w) {
      load(value, x + k.in_image(n, h, w, c));
      const int place = (h - h0) * k.columns.largest + (w - w0);
#pragma unroll
      for (int i = 0; i < V; ++i) {
        const bool wins = !(value[i] <= best[i]) && best[i] == best[i];
        best[i] = wins ? value[i] : best[i];
        where[i] = wins ? place : where[i];
      }
    }
  }
  const int64_t to = k.pooled(n, p, q, c);
  store(best, out + to);
  if (compact) {
    uint8_t narrow[V];
#pragma unroll
    for (int i = 0; i < V; ++i) narrow[i] = static_cast<uint8_t>(where[i]);
    store(narrow, compact + to);
  }
  if (planar) {
    int64_t wide[V];
#pragma unroll
    for (int i = 0; i < V; ++i) {
      const int row = where[i] / k.columns.largest;
      wide[i] = int64_t{h0 + row} * k.columns.in + w0 + (where[i] - row * k.columns.largest);
    }
    store(wide, planar + to);
  }
}

// Rows of the window are summed on their own, as on the CPU.
template <class T, int V>
__global__ __launch_bounds__(threads) void mean_kernel(Geometry k, Items items, const T* x,
                                                       T* out) {
  const uint32_t index = blockIdx.x * threads + threadIdx.x;
  if (index >= items.count) return;
  const auto [n, p, q, c] = items(index);
  T total[V] = {}, value[V];
  const int h1 = k.rows.end(p), w0 = k.columns.begin(q), w1 = k.columns.end(q);
  for (int h = k.rows.begin(p); h < h1; ++h) {
    T row[V] = {};
    for (int w = w0; w < w1; ++w) {
      load(value, x + k.in_image(n, h, w, c));
#pragma unroll
      for (int i = 0; i < V; ++i) row[i] += value[i];
    }
#pragma unroll
    for (int i = 0; i < V; ++i) total[i] += row[i];
  }
  const T scale = T(1) / static_cast<T>(int64_t{k.rows.divisor(p)} * k.columns.divisor(q));
#pragma unroll
  for (int i = 0; i < V; ++i) total[i] *= scale;
  store(total, out + k.pooled(n, p, q, c));
}

}  // namespace pool

void max_pool(const cpu::PoolShape& shape, const void* x, void* out, void* switches) {
  const int64_t P = shape.rows.out(), Q = shape.columns.out();
  const int64_t image = shape.rows.in * shape.columns.in * shape.C, pooled = P * Q * shape.C;
  pool::visit_width(shape.dtype, shape.C, {x, out, switches},
                    [&]<class T, int V>(Type<T>, std::integral_constant<int, V>) {
                      pool::for_each_batch(shape.N, pooled, [&](int64_t first, int64_t images) {
                        const pool::Items items(images, P, Q, shape.C, V);
                        uint8_t* compact = shape.compact && switches
                                               ? static_cast<uint8_t*>(switches) + first * pooled
                                               : nullptr;
                        int64_t* planar = !shape.compact && switches
                                              ? static_cast<int64_t*>(switches) + first * pooled
                                              : nullptr;
                        launch<pool::max_kernel<T, V>>(
                            {.grid = divide_up(items.count, pool::threads), .block = pool::threads},
                            pool::Geometry(shape), items, static_cast<const T*>(x) + first * image,
                            static_cast<T*>(out) + first * pooled, compact, planar);
                      });
                    });
}

void mean_pool(const cpu::PoolShape& shape, const void* x, void* out) {
  const int64_t P = shape.rows.out(), Q = shape.columns.out();
  const int64_t image = shape.rows.in * shape.columns.in * shape.C, pooled = P * Q * shape.C;
  pool::visit_width(shape.dtype, shape.C, {x, out},
                    [&]<class T, int V>(Type<T>, std::integral_constant<int, V>) {
                      pool::for_each_batch(shape.N, pooled, [&](int64_t first, int64_t images) {
                        const pool::Items items(images, P, Q, shape.C, V);
                        launch<pool::mean_kernel<T, V>>(
                            {.grid = divide_up(items.count, pool::threads), .block = pool::threads},
                            pool::Geometry(shape), items, static_cast<const T*>(x) + first * image,
                            static_cast<T*>(out) + first * pooled);
                      });
                    });
}

}  // namespace strata::gpu
