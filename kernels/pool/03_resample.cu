// Resampling and its adjoint. A first, small launch tabulates what is the same for all channels:
// the two taps of each output and, for the adjoint, the outputs that read each input. Then one
// thread a pixel and V channels, as in 01 and 02: the adjoint is a gather over the outputs that
// read the pixel, in the CPU's order, without atomics.
//
// FLOPs: 8 an output. Bytes: image and output once (each input is read by several outputs, from
// cache), and 32 an output row or column for the tables. Registers 14 to 58. Run on an H200 by its
// tests, not timed.
#include "kernels/gpu/scratch.h"
#include "kernels/pool/device.h"
#include "kernels/pool/resample.h"

namespace strata::gpu {
namespace pool {

struct Taps {
  double weight;
  int first, second;
};
struct Table {
  Taps* taps;     // [out]
  Range* ranges;  // [in], outputs that read an input
  int in, out;
};

__global__ __launch_bounds__(threads) void taps_kernel(Table table, cpu::ResampleAxis::Kind kind) {
  const int i = static_cast<int>(blockIdx.x * threads + threadIdx.x);
  if (i >= table.out) return;
  const auto [first, second, weight] = cpu::taps_of(kind, table.in, table.out, i);
  table.taps[i] = {weight, static_cast<int>(first), static_cast<int>(second)};
}
// Taps grow with the output, so those that read h follow each other: two binary searches.
__global__ __launch_bounds__(threads) void ranges_kernel(Table table) {
  const int h = static_cast<int>(blockIdx.x * threads + threadIdx.x);
  if (h >= table.in) return;
  int low = 0, high = table.out;
  while (low < high) {
    const int middle = (low + high) / 2;
    if (table.taps[middle].second < h)
      low = middle + 1;
    else
      high = middle;
  }
  const int begin = low;
  high = table.out;
  while (low < high) {
    const int middle = (low + high) / 2;
    if (table.taps[middle].first <= h)
      low = middle + 1;
    else
      high = middle;
  }
  table.ranges[h] = {begin, low};
}

template <class T, int V>
__global__ __launch_bounds__(threads) void resample_kernel(Table rows, Table columns, int64_t C,
                                                           Items items, const T* x, T* out) {
  const uint32_t index = blockIdx.x * threads + threadIdx.x;
  if (index >= items.count) return;
  const auto [n, p, q, c] = items(index);
  const Taps row = rows.taps[p], column = columns.taps[q];
  const T v = static_cast<T>(row.weight), u = static_cast<T>(column.weight);
  const T* top = x + (int64_t{n} * rows.in + row.first) * columns.in * C + c;
  const T* bottom = x + (int64_t{n} * rows.in + row.second) * columns.in * C + c;
  T result[V], corner[V];
  load_elements(result, top + column.first * C);
  if (row.weight != 0 || column.weight != 0) {
    T right[V], left_below[V];
    load_elements(right, top + column.second * C);
    load_elements(left_below, bottom + column.first * C);
    load_elements(corner, bottom + column.second * C);
#pragma unroll
    for (int i = 0; i < V; ++i)
      result[i] = (1 - v) * ((1 - u) * result[i] + u * right[i]) +
                  v * ((1 - u) * left_below[i] + u * corner[i]);
  }
  store_elements(out + ((int64_t{n} * rows.out + p) * columns.out + q) * C + c, result);
}

template <class T, int V>
__global__ __launch_bounds__(threads) void resample_adjoint_kernel(Table rows, Table columns,
                                                                   int64_t C, Items items,
                                                                   const T* values, T* image) {
  const uint32_t index = blockIdx.x * threads + threadIdx.x;
  if (index >= items.count) return;
  const auto [n, h, w, c] = items(index);
  const Range p_range = rows.ranges[h], q_range = columns.ranges[w];
  T total[V] = {}, value[V];
  for (int p = p_range.begin; p < p_range.end; ++p) {
    const Taps row = rows.taps[p];
    const T v = static_cast<T>(row.weight);
#pragma unroll 1
    for (int q = q_range.begin; q < q_range.end; ++q) {
      const Taps column = columns.taps[q];
      const T u = static_cast<T>(column.weight);
      load_elements(value, values + ((int64_t{n} * rows.out + p) * columns.out + q) * C + c);
      for (int tap = 0; tap < 4; ++tap) {
        const bool below = tap & 2, right = tap & 1;
        const T scale = (below ? v : 1 - v) * (right ? u : 1 - u);
        const bool reads =
            (below ? row.second : row.first) == h && (right ? column.second : column.first) == w;
        if (!reads || scale == 0) continue;
#pragma unroll
        for (int i = 0; i < V; ++i) total[i] += scale * value[i];
      }
    }
  }
  store_elements(image + ((int64_t{n} * rows.in + h) * columns.in + w) * C + c, total);
}

}  // namespace pool

namespace {

size_t table_bytes(const cpu::ResampleAxis& axis) {
  return static_cast<size_t>(axis.out()) * sizeof(pool::Taps) +
         static_cast<size_t>(axis.in) * sizeof(pool::Range);
}
pool::Table make_table(const cpu::ResampleAxis& axis, char* memory, bool ranges) {
  pool::Taps* taps = reinterpret_cast<pool::Taps*>(memory);
  const pool::Table table{taps, reinterpret_cast<pool::Range*>(taps + axis.out()),
                          static_cast<int>(axis.in), static_cast<int>(axis.out())};
  launch<pool::taps_kernel>({.grid = divide_up(table.out, pool::threads), .block = pool::threads},
                            table, axis.kind);
  if (ranges)
    launch<pool::ranges_kernel>(
        {.grid = divide_up(table.in, pool::threads), .block = pool::threads}, table);
  return table;
}

}  // namespace

void resample(const cpu::ResampleShape& shape, const void* x, void* out) {
  const int64_t P = shape.rows.out(), Q = shape.columns.out(), C = shape.C;
  const int64_t image = shape.rows.in * shape.columns.in * C;
  if (shape.N * P * Q * C == 0) return;
  const Scratch memory(table_bytes(shape.rows) + table_bytes(shape.columns));
  const pool::Table rows = make_table(shape.rows, memory.as<char>(), false);
  const pool::Table columns =
      make_table(shape.columns, memory.as<char>() + table_bytes(shape.rows), false);
  pool::visit_width(shape.dtype, C, {x, out},
                    [&]<class T, int V>(Type<T>, std::integral_constant<int, V>) {
                      pool::for_each_batch(shape.N, P * Q * C, [&](int64_t first, int64_t images) {
                        const pool::Items items(images, P, Q, C, V);
                        launch<pool::resample_kernel<T, V>>(
                            {.grid = divide_up(items.count, pool::threads), .block = pool::threads},
                            rows, columns, C, items, static_cast<const T*>(x) + first * image,
                            static_cast<T*>(out) + first * P * Q * C);
                      });
                    });
}

void resample_adjoint(const cpu::ResampleShape& shape, const void* values, void* image) {
  const int64_t H = shape.rows.in, W = shape.columns.in, C = shape.C;
  const int64_t outputs = shape.rows.out() * shape.columns.out() * C;
  if (shape.N * H * W * C == 0) return;
  const Scratch memory(table_bytes(shape.rows) + table_bytes(shape.columns));
  const pool::Table rows = make_table(shape.rows, memory.as<char>(), true);
  const pool::Table columns =
      make_table(shape.columns, memory.as<char>() + table_bytes(shape.rows), true);
  pool::visit_width(shape.dtype, C, {values, image},
                    [&]<class T, int V>(Type<T>, std::integral_constant<int, V>) {
                      pool::for_each_batch(shape.N, H * W * C, [&](int64_t first, int64_t images) {
                        const pool::Items items(images, H, W, C, V);
                        launch<pool::resample_adjoint_kernel<T, V>>(
                            {.grid = divide_up(items.count, pool::threads), .block = pool::threads},
                            rows, columns, C, items,
                            static_cast<const T*>(values) + first * outputs,
                            static_cast<T*>(image) + first * H * W * C);
                      });
                    });
}

}  // namespace strata::gpu
