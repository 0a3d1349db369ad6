// The adjoints, turned around. On the CPU each output adds to the pixels of its window; threads
// that did so would meet at pixels that windows share, and need atomics, whose order is chance.
// Here one thread owns a pixel of the image (and V channels) and asks the outputs that cover it, in
// order: no two write to one place, and the sum has the CPU's order.
//
// A pixel is covered by about (window / stride)^2 outputs. Bytes: values, switches and image once.
// Switches of 8 bytes may point anywhere in the plane (max_unpool2d): then a thread owns a channel
// of an image and walks its outputs, which is slow where N C is small. Registers 24 to 40. Run on
// an H200 by its tests, not timed.
#include "kernels/pool/device.h"

namespace strata::gpu {
namespace pool {

template <class T, int V>
__global__ __launch_bounds__(threads) void mean_adjoint_kernel(Geometry k, Items items,
                                                               const T* values, T* image) {
  const uint32_t index = blockIdx.x * threads + threadIdx.x;
  if (index >= items.count) return;
  const auto [n, h, w, c] = items(index);
  T total[V] = {}, value[V];
  const int p0 = k.rows.first(h), p1 = k.rows.last(h);
  const int q0 = k.columns.first(w), q1 = k.columns.last(w);
  const T* line = values + k.pooled(n, p0, q0, c);
  for (int p = p0; p <= p1; ++p, line += k.columns.out * k.C) {
    const int rows = k.rows.divisor(p);
    const T* from = line;
#pragma unroll 1
    for (int q = q0; q <= q1; ++q, from += k.C) {
      const T scale = T(1) / static_cast<T>(int64_t{rows} * k.columns.divisor(q));
      load(value, from);
#pragma unroll
      for (int i = 0; i < V; ++i) total[i] += scale * value[i];
    }
  }
  store(total, image + k.in_image(n, h, w, c));
}

template <class T, int V>
__global__ __launch_bounds__(threads) void scatter_kernel(Geometry k, Items items, const T* values,
                                                          const uint8_t* switches, T* image) {
  const uint32_t index = blockIdx.x * threads + threadIdx.x;
  if (index >= items.count) return;
  const auto [n, h, w, c] = items(index);
  T total[V] = {}, value[V];
  uint8_t where[V];
  const int p0 = k.rows.first(h), p1 = k.rows.last(h);
  const int q0 = k.columns.first(w), q1 = k.columns.last(w);
  int64_t line = k.pooled(n, p0, q0, c);
  for (int p = p0; p <= p1; ++p, line += k.columns.out * k.C) {
    const int row = (h - k.rows.begin(p)) * k.columns.largest;
    int64_t from = line;
#pragma unroll 1
    for (int q = q0; q <= q1; ++q, from += k.C) {
      const int place = row + (w - k.columns.begin(q));
      load(where, switches + from);
      load(value, values + from);
#pragma unroll
      for (int i = 0; i < V; ++i) total[i] += where[i] == place ? value[i] : T(0);
    }
  }
  store(total, image + k.in_image(n, h, w, c));
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
    from = (n * k.rows.in * k.columns.in + planar[at]) * k.C + c;
  }
  values[at] = image[from];
}

}  // namespace pool

void mean_pool_adjoint(const cpu::PoolShape& shape, const void* values, void* image) {
  const int64_t H = shape.rows.in, W = shape.columns.in, elements = H * W * shape.C;
  const int64_t pooled = shape.rows.out() * shape.columns.out() * shape.C;
  pool::visit_width(shape.dtype, shape.C, {values, image},
                    [&]<class T, int V>(Type<T>, std::integral_constant<int, V>) {
                      pool::for_each_batch(shape.N, elements, [&](int64_t first, int64_t images) {
                        const pool::Items items(images, H, W, shape.C, V);
                        launch<pool::mean_adjoint_kernel<T, V>>(
                            {.grid = divide_up(items.count, pool::threads), .block = pool::threads},
                            pool::Geometry(shape), items,
                            static_cast<const T*>(values) + first * pooled,
                            static_cast<T*>(image) + first * elements);
                      });
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
  const int64_t H = shape.rows.in, W = shape.columns.in, elements = H * W * shape.C;
  const int64_t pooled = shape.rows.out() * shape.columns.out() * shape.C;
  if (elements == 0) return;
  pool::visit_width(
      shape.dtype, shape.C, {values, switches, image},
      [&]<class T, int V>(Type<T>, std::integral_constant<int, V>) {
        if (!shape.compact)
          return scatter_planar(shape, static_cast<const T*>(values),
                                static_cast<const int64_t*>(switches), static_cast<T*>(image));
        pool::for_each_batch(shape.N, elements, [&](int64_t first, int64_t images) {
          const pool::Items items(images, H, W, shape.C, V);
          launch<pool::scatter_kernel<T, V>>(
              {.grid = divide_up(items.count, pool::threads), .block = pool::threads},
              pool::Geometry(shape), items, static_cast<const T*>(values) + first * pooled,
              static_cast<const uint8_t*>(switches) + first * pooled,
              static_cast<T*>(image) + first * elements);
        });
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
