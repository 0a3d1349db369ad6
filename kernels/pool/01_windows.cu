// The maximum and the mean of windows: one thread an output pixel and V channels (4 of f32, 2 of
// f64: 16 bytes; 1 where C or an address is odd). Windows overlap, but what neighbours share comes
// from L1 and L2: from device memory each input is read once. No shared memory.
//
// A thread asks for a patch of its window before it looks at the first value: all of it up to
// 3 x 3, pieces of rows beyond. A loop that loads and compares in turn waits for memory as many
// times as the window has pixels; and with 9 loads of 16 bytes a thread, few threads keep enough
// bytes in flight.
//
// FLOPs: one an element of each window. Bytes: image and output once; the switches of a maximum are
// 1 byte each (place in the window) or 8 (place in the plane). Registers 28 to 64.
// H200, f32: 1.02 of a copy. (Before a window was asked for at once: 0.69 to 0.85.)
#include <limits>

#include "kernels/pool/device.h"

namespace strata::gpu {
namespace pool {

// The pixels of a window that a thread asks for at once. Sums are of rows first, and the first of
// equal maxima counts: a patch of several rows is for windows that lie in it whole.
template <int Rows, int Columns>
struct WindowPatch {
  static constexpr int rows = Rows, columns = Columns;
  static constexpr bool whole = Rows > 1, sliding = whole;
};
template <class F>
void visit_window_patch(const cpu::PoolShape& shape, F&& f) {
  const int64_t largest = std::max(shape.rows.largest, shape.columns.largest);
  if (slides(shape) && largest <= 2) return f(WindowPatch<2, 2>{});
  if (slides(shape) && largest <= 3) return f(WindowPatch<3, 3>{});
  f(WindowPatch<1, 8>{});
}

// The patch at `pixel`, of which `rows` and `columns` lie in the window; `line` is between rows.
// Beyond the window its last row and column are read again: loads that depend on nothing are all
// under way before the first is waited for.
template <int Rows, int Columns, int V, class T>
DEVICE void load_patch(T (&patch)[Rows][Columns][V], const T* pixel, int64_t line, int C, int rows,
                       int columns) {
#pragma unroll
  for (int r = 0; r < Rows; ++r) {
#pragma unroll
    for (int s = 0; s < Columns; ++s)
      load_elements(patch[r][s], pixel + int64_t{min(s, columns - 1)} * C);
    if (r + 1 < rows) pixel += line;
  }
}

// NaN wins, and the first value does among equals; so one that is read again never does.
template <class T, int V, class P>
__global__ __launch_bounds__(threads,
                             blocks<T>) void max_kernel(Geometry k, Items items, const T* x, T* out,
                                                        uint8_t* compact, int64_t* planar) {
  const uint32_t index = blockIdx.x * threads + threadIdx.x;
  if (index >= items.count) return;
  const auto [n, p, q, c] = items(index);
  T best[V], patch[P::rows][P::columns][V];
  int where[V];
#pragma unroll
  for (int i = 0; i < V; ++i) {
    best[i] = -std::numeric_limits<T>::infinity();
    where[i] = 0;
  }
  const Range row = k.rows.range<P::sliding>(p), column = k.columns.range<P::sliding>(q);
  const int rows = row.size(), columns = column.size();
  const int64_t line = int64_t{k.columns.in} * k.C;
  const T* window = x + k.in_image(n, row.begin, column.begin, c);
  for (int h = 0; h < (P::whole ? 1 : rows); h += P::rows) {
    for (int w = 0; w < (P::whole ? 1 : columns); w += P::columns) {
      load_patch(patch, window + h * line + int64_t{w} * k.C, line, k.C, rows - h, columns - w);
#pragma unroll
      for (int at = 0; at < P::rows * P::columns; ++at) {
        const int r = at / P::columns, s = at % P::columns;
        const int place = (h + r) * k.columns.largest + w + s;
#pragma unroll
        for (int i = 0; i < V; ++i) {
          const T value = patch[r][s][i];
          const bool wins = !(value <= best[i]) && best[i] == best[i];
          best[i] = wins ? value : best[i];
          where[i] = wins ? place : where[i];
        }
      }
    }
  }
  const int64_t to = k.pooled(n, p, q, c);
  store_elements(out + to, best);
  if (compact) {
    uint8_t narrow[V];
#pragma unroll
    for (int i = 0; i < V; ++i) narrow[i] = static_cast<uint8_t>(where[i]);
    store_elements(compact + to, narrow);
  }
  if (planar) {
    int64_t wide[V];
#pragma unroll
    for (int i = 0; i < V; ++i) {
      const int h = where[i] / k.columns.largest, w = where[i] - h * k.columns.largest;
      wide[i] = int64_t{row.begin + h} * k.columns.in + column.begin + w;
    }
    store_elements(planar + to, wide);
  }
}

// Rows of the window are summed on their own, as on the CPU.
template <class T, int V, class P>
__global__ __launch_bounds__(threads, blocks<T>) void mean_kernel(Geometry k, Items items,
                                                                  const T* x, T* out) {
  const uint32_t index = blockIdx.x * threads + threadIdx.x;
  if (index >= items.count) return;
  const auto [n, p, q, c] = items(index);
  T total[V] = {}, patch[P::rows][P::columns][V];
  const Range row = k.rows.range<P::sliding>(p), column = k.columns.range<P::sliding>(q);
  const int rows = row.size(), columns = column.size();
  const int64_t line = int64_t{k.columns.in} * k.C;
  const T* window = x + k.in_image(n, row.begin, column.begin, c);
  for (int h = 0; h < (P::whole ? 1 : rows); h += P::rows) {
    T sum[P::rows][V] = {};
    for (int w = 0; w < (P::whole ? 1 : columns); w += P::columns) {
      load_patch(patch, window + h * line + int64_t{w} * k.C, line, k.C, rows - h, columns - w);
#pragma unroll
      for (int at = 0; at < P::rows * P::columns; ++at) {
        const int r = at / P::columns, s = at % P::columns;
        if (h + r >= rows || w + s >= columns) continue;
#pragma unroll
        for (int i = 0; i < V; ++i) sum[r][i] += patch[r][s][i];
      }
    }
#pragma unroll
    for (int at = 0; at < P::rows * V; ++at) total[at % V] += sum[at / V][at % V];
  }
  const T scale = T(1) / static_cast<T>(int64_t{k.rows.divisor(row)} * k.columns.divisor(column));
#pragma unroll
  for (int i = 0; i < V; ++i) total[i] *= scale;
  store_elements(out + k.pooled(n, p, q, c), total);
}

}  // namespace pool

void max_pool(const cpu::PoolShape& shape, const void* x, void* out, void* switches) {
  const int64_t P = shape.rows.out(), Q = shape.columns.out();
  const int64_t image = shape.rows.in * shape.columns.in * shape.C, pooled = P * Q * shape.C;
  auto run = [&]<class T, int V, class Patch>(Type<T>, std::integral_constant<int, V>, Patch) {
    pool::for_each_batch(shape.N, pooled, [&](int64_t first, int64_t images) {
      const pool::Items items(images, P, Q, shape.C, V);
      uint8_t* compact =
          shape.compact && switches ? static_cast<uint8_t*>(switches) + first * pooled : nullptr;
      int64_t* planar =
          !shape.compact && switches ? static_cast<int64_t*>(switches) + first * pooled : nullptr;
      launch<pool::max_kernel<T, V, Patch>>(
          {.grid = divide_up(items.count, pool::threads), .block = pool::threads},
          pool::Geometry(shape), items, static_cast<const T*>(x) + first * image,
          static_cast<T*>(out) + first * pooled, compact, planar);
    });
  };
  pool::visit_width(shape.dtype, shape.C, {x, out, switches}, [&](auto type, auto width) {
    pool::visit_window_patch(shape, [&](auto patch) { run(type, width, patch); });
  });
}

void mean_pool(const cpu::PoolShape& shape, const void* x, void* out) {
  const int64_t P = shape.rows.out(), Q = shape.columns.out();
  const int64_t image = shape.rows.in * shape.columns.in * shape.C, pooled = P * Q * shape.C;
  auto run = [&]<class T, int V, class Patch>(Type<T>, std::integral_constant<int, V>, Patch) {
    pool::for_each_batch(shape.N, pooled, [&](int64_t first, int64_t images) {
      const pool::Items items(images, P, Q, shape.C, V);
      launch<pool::mean_kernel<T, V, Patch>>(
          {.grid = divide_up(items.count, pool::threads), .block = pool::threads},
          pool::Geometry(shape), items, static_cast<const T*>(x) + first * image,
          static_cast<T*>(out) + first * pooled);
    });
  };
  pool::visit_width(shape.dtype, shape.C, {x, out}, [&](auto type, auto width) {
    pool::visit_window_patch(shape, [&](auto patch) { run(type, width, patch); });
  });
}

}  // namespace strata::gpu
