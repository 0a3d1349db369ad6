// The adjoints, turned around. On the CPU each output adds to the pixels of its window; threads
// that did so would meet at pixels that windows share, and need atomics, whose order is chance.
// Here one thread owns a quad of pixels of the image (2 x 2, and V channels) and asks the outputs
// that cover it, in order: no two write to one place, and the sum has the CPU's order.
//
// Neighbouring pixels lie in the same windows: of 3 x 3 in steps of 2, the four pixels of a quad
// ask for four outputs, where one by one they would ask for nine and find each anew. A thread asks
// for four outputs before it adds the first, so that they are waited for once. Bytes: values,
// switches and image once. Switches of 8 bytes may point anywhere in the plane (max_unpool2d): then
// a thread owns a channel of an image and walks its outputs, which is slow where N C is small.
// Registers 26 to 94. H200, f32: 0.78 to 0.95 of a copy. (One pixel a thread: 0.38 to
// 0.52.)
#include "kernels/pool/device.h"

namespace strata::gpu {
namespace pool {

// The outputs that cover any pixel of the quad at (h, w).
struct Covering {
  int p0, p1, q0, q1;  // the last ones included
};
template <bool sliding>
DEVICE Covering covering(const Geometry& k, int h, int w) {
  return {k.rows.first<sliding>(h), k.rows.last<sliding>(min(h + 1, k.rows.in - 1)),
          k.columns.first<sliding>(w), k.columns.last<sliding>(min(w + 1, k.columns.in - 1))};
}

// The outputs that a thread asks for at once. A pixel adds them line by line: an order that patches
// of several lines keep where all that cover a quad lie in one.
template <int Rows, int Columns, bool Sliding>
struct OutputPatch {
  static constexpr int rows = Rows, columns = Columns;
  static constexpr bool sliding = Sliding, whole = Columns <= 2;
};
// Whether outputs i and i + steps never cover pixels of the same quad.
inline bool apart(const cpu::PoolAxis& axis, size_t steps) {
  for (size_t i = 0; i + steps < axis.begin.size(); ++i)
    if (axis.begin[i + steps] / 2 <= (axis.end[i] - 1) / 2) return false;
  return true;
}
template <class F>
void visit_output_patch(const cpu::PoolShape& shape, F&& f) {
  const cpu::PoolAxis &rows = shape.rows, &columns = shape.columns;
  if (!slides(shape)) return f(OutputPatch<1, 4, false>{});
  if (apart(rows, 1) && apart(columns, 1)) return f(OutputPatch<1, 1, true>{});
  if (apart(rows, 2) && apart(columns, 2)) return f(OutputPatch<2, 2, true>{});
  f(OutputPatch<1, 4, true>{});
}

// The pixels of the quad that lie in the image.
template <class T, int V>
DEVICE void store_quad(const Geometry& k, const T (&quad)[2][2][V], int h, int w, T* pixel) {
  const int64_t line = int64_t{k.columns.in} * k.C;
  const bool right = w + 1 < k.columns.in, below = h + 1 < k.rows.in;
  store_elements(pixel, quad[0][0]);
  if (right) store_elements(pixel + k.C, quad[0][1]);
  if (below) store_elements(pixel + line, quad[1][0]);
  if (right && below) store_elements(pixel + line + k.C, quad[1][1]);
}

template <class T, int V, class P>
__global__ __launch_bounds__(threads, blocks<T>) void mean_adjoint_kernel(Geometry k, Items quads,
                                                                          const T* values,
                                                                          T* image) {
  const uint32_t index = blockIdx.x * threads + threadIdx.x;
  if (index >= quads.count) return;
  const auto [n, row, column, c] = quads(index);
  const int h = 2 * row, w = 2 * column;
  const auto [p0, p1, q0, q1] = covering<P::sliding>(k, h, w);
  values += k.pooled(n, 0, 0, c);
  T total[2][2][V] = {}, value[P::rows][P::columns][V];
  for (int p = p0; p <= (P::whole ? p0 : p1); p += P::rows) {
    for (int q = q0; q <= (P::whole ? q0 : q1); q += P::columns) {
#pragma unroll
      for (int at = 0; at < P::rows * P::columns; ++at) {
        const int r = at / P::columns, s = at % P::columns;
        load_elements(value[r][s],
                      values + (min(p + r, p1) * k.columns.out + min(q + s, q1)) * k.C);
      }
#pragma unroll
      for (int at = 0; at < P::rows * P::columns; ++at) {
        const int r = at / P::columns, s = at % P::columns;
        const Range rows = k.rows.range<P::sliding>(p + r),
                    columns = k.columns.range<P::sliding>(q + s);
        const T scale =
            T(1) / static_cast<T>(int64_t{k.rows.divisor(rows)} * k.columns.divisor(columns));
#pragma unroll
        for (int pixel = 0; pixel < 4; ++pixel) {
          const int i = pixel / 2, j = pixel % 2;
          // Not &&, which would be branches.
          const bool covered =
              (p + r <= p1) & (q + s <= q1) & rows.holds(h + i) & columns.holds(w + j);
          if (!covered) continue;
#pragma unroll
          for (int v = 0; v < V; ++v) total[i][j][v] += scale * value[r][s][v];
        }
      }
    }
  }
  store_quad(k, total, h, w, image + k.in_image(n, h, w, c));
}

// The switches of V channels, in one word.
template <int V>
using SwitchWord =
    std::conditional_t<V == 4, uint32_t, std::conditional_t<V == 2, uint16_t, uint8_t>>;

template <class T, int V, class P>
__global__ __launch_bounds__(threads, blocks<T>) void scatter_kernel(Geometry k, Items quads,
                                                                     const T* values,
                                                                     const uint8_t* switches,
                                                                     T* image) {
  const uint32_t index = blockIdx.x * threads + threadIdx.x;
  if (index >= quads.count) return;
  const auto [n, row, column, c] = quads(index);
  const int h = 2 * row, w = 2 * column, largest = k.columns.largest;
  const auto [p0, p1, q0, q1] = covering<P::sliding>(k, h, w);
  values += k.pooled(n, 0, 0, c);
  switches += k.pooled(n, 0, 0, c);
  T total[2][2][V] = {}, value[P::rows][P::columns][V];
  SwitchWord<V> where[P::rows][P::columns];
  for (int p = p0; p <= (P::whole ? p0 : p1); p += P::rows) {
    for (int q = q0; q <= (P::whole ? q0 : q1); q += P::columns) {
#pragma unroll
      for (int at = 0; at < P::rows * P::columns; ++at) {
        const int r = at / P::columns, s = at % P::columns;
        const int from = (min(p + r, p1) * k.columns.out + min(q + s, q1)) * k.C;
        load_elements(value[r][s], values + from);
        where[r][s] = *reinterpret_cast<const SwitchWord<V>*>(switches + from);
      }
#pragma unroll
      for (int at = 0; at < P::rows * P::columns * 4; ++at) {
        const int r = at / 4 / P::columns, s = at / 4 % P::columns, i = at / 2 % 2, j = at % 2;
        // The pixel's place in the window, or one that no switch holds.
        const int y = h + i - k.rows.begin<P::sliding>(p + r),
                  x = w + j - k.columns.begin<P::sliding>(q + s);
        const bool covered = p + r <= p1 && q + s <= q1 && x >= 0 && x < largest;
        const int place = covered ? y * largest + x : -1;
#pragma unroll
        for (int v = 0; v < V; ++v)
          if (static_cast<int>(where[r][s] >> (8 * v) & 255) == place)
            total[i][j][v] += value[r][s][v];
      }
    }
  }
  store_quad(k, total, h, w, image + k.in_image(n, h, w, c));
}

// One thread a channel of an image, outputs in order. `image` is zero before.
template <class T>
__global__ __launch_bounds__(threads) void scatter_planar_kernel(uint32_t lines, Divisor channels,
                                                                 int64_t outputs, int64_t pixels,
                                                                 const T* values,
                                                                 const int64_t* switches,
                                                                 T* image) {
  const uint32_t line = blockIdx.x * threads + threadIdx.x;
  if (line >= lines) return;
  const uint32_t n = channels.divide(line), c = line - n * channels.value;
  const int64_t C = channels.value;
  T* plane = image + n * pixels * C + c;
  for (int64_t i = 0; i < outputs; ++i) {
    const int64_t from = (n * outputs + i) * C + c;
    plane[switches[from] * C] += values[from];
  }
}

template <class T>
__global__ __launch_bounds__(threads) void gather_kernel(Geometry k, Items items, const T* image,
                                                         const uint8_t* compact,
                                                         const int64_t* planar, T* values) {
  const uint32_t index = blockIdx.x * threads + threadIdx.x;
  if (index >= items.count) return;
  const auto [n, p, q, c] = items(index);
  const int64_t at = k.pooled(n, p, q, c);
  int64_t from;
  if (compact) {
    const int place = compact[at], row = place / k.columns.largest;
    from = k.in_image(n, k.rows.begin(p) + row,
                      k.columns.begin(q) + place - row * k.columns.largest, c);
  } else {
    from = n * k.image + planar[at] * k.C + c;
  }
  values[at] = image[from];
}

}  // namespace pool

namespace {

// A thread each.
pool::Items quads_of(const cpu::PoolShape& shape, int64_t images, int V) {
  return {images, (shape.rows.in + 1) / 2, (shape.columns.in + 1) / 2, shape.C, V};
}
// Whether there is something to do; without outputs the image is zero.
bool covered(const cpu::PoolShape& shape, void* image) {
  const int64_t elements = shape.N * shape.rows.in * shape.columns.in * shape.C;
  const bool outputs = shape.rows.out() * shape.columns.out() > 0;
  if (!outputs)
    fill_bytes(image, 0, static_cast<size_t>(elements) * size_of(shape.dtype), current_stream());
  return outputs && elements > 0;
}

}  // namespace

void mean_pool_adjoint(const cpu::PoolShape& shape, const void* values, void* image) {
  const int64_t elements = shape.rows.in * shape.columns.in * shape.C;
  const int64_t pooled = shape.rows.out() * shape.columns.out() * shape.C;
  auto run = [&]<class T, int V, class P>(Type<T>, std::integral_constant<int, V>, P) {
    pool::for_each_batch(shape.N, std::max(elements, pooled), [&](int64_t first, int64_t images) {
      const pool::Items quads = quads_of(shape, images, V);
      launch<pool::mean_adjoint_kernel<T, V, P>>(
          {.grid = divide_up(quads.count, pool::threads), .block = pool::threads},
          pool::Geometry(shape), quads, static_cast<const T*>(values) + first * pooled,
          static_cast<T*>(image) + first * elements);
    });
  };
  if (!covered(shape, image)) return;
  pool::visit_width(shape.dtype, shape.C, {values, image}, [&](auto type, auto width) {
    pool::visit_output_patch(shape, [&](auto patch) { run(type, width, patch); });
  });
}

namespace {

template <class T>
void scatter_planar(const cpu::PoolShape& shape, const T* values, const int64_t* switches,
                    T* image) {
  const int64_t pixels = shape.rows.in * shape.columns.in;
  const int64_t outputs = shape.rows.out() * shape.columns.out();
  pool::for_each_batch(shape.N, shape.C, [&](int64_t first, int64_t images) {
    T* part = image + first * pixels * shape.C;
    fill_bytes(part, 0, static_cast<size_t>(images * pixels * shape.C) * sizeof(T),
               current_stream());
    const uint32_t lines = static_cast<uint32_t>(images * shape.C);
    launch<pool::scatter_planar_kernel<T>>(
        {.grid = divide_up(lines, pool::threads), .block = pool::threads}, lines,
        Divisor(static_cast<uint32_t>(shape.C)), outputs, pixels,
        values + first * outputs * shape.C, switches + first * outputs * shape.C, part);
  });
}

}  // namespace

void pool_scatter(const cpu::PoolShape& shape, const void* values, const void* switches,
                  void* image) {
  const int64_t elements = shape.rows.in * shape.columns.in * shape.C;
  const int64_t pooled = shape.rows.out() * shape.columns.out() * shape.C;
  auto run = [&]<class T, int V, class P>(Type<T>, std::integral_constant<int, V>, P) {
    pool::for_each_batch(shape.N, std::max(elements, pooled), [&](int64_t first, int64_t images) {
      const pool::Items quads = quads_of(shape, images, V);
      launch<pool::scatter_kernel<T, V, P>>(
          {.grid = divide_up(quads.count, pool::threads), .block = pool::threads},
          pool::Geometry(shape), quads, static_cast<const T*>(values) + first * pooled,
          static_cast<const uint8_t*>(switches) + first * pooled,
          static_cast<T*>(image) + first * elements);
    });
  };
  if (!covered(shape, image)) return;
  pool::visit_width(
      shape.dtype, shape.C, {values, switches, image}, [&]<class T>(Type<T> type, auto width) {
        if (!shape.compact)
          return scatter_planar(shape, static_cast<const T*>(values),
                                static_cast<const int64_t*>(switches), static_cast<T*>(image));
        pool::visit_output_patch(shape, [&](auto patch) { run(type, width, patch); });
      });
}

void pool_gather(const cpu::PoolShape& shape, const void* image, const void* switches,
                 void* values) {
  const int64_t P = shape.rows.out(), Q = shape.columns.out(), pooled = P * Q * shape.C;
  const int64_t elements = shape.rows.in * shape.columns.in * shape.C;
  auto run = [&]<class T>(Type<T>) {
    pool::for_each_batch(shape.N, pooled, [&](int64_t first, int64_t images) {
      const pool::Items items(images, P, Q, shape.C, 1);
      const uint8_t* compact =
          shape.compact ? static_cast<const uint8_t*>(switches) + first * pooled : nullptr;
      const int64_t* planar =
          shape.compact ? nullptr : static_cast<const int64_t*>(switches) + first * pooled;
      launch<pool::gather_kernel<T>>(
          {.grid = divide_up(items.count, pool::threads), .block = pool::threads},
          pool::Geometry(shape), items, static_cast<const T*>(image) + first * elements, compact,
          planar, static_cast<T*>(values) + first * pooled);
    });
  };
  if (shape.dtype == DType::f64) return run(Type<double>{});
  run(Type<float>{});
}

}  // namespace strata::gpu
