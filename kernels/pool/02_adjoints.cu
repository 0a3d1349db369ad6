// The adjoints, turned around. On the CPU each output adds to the pixels of its window; threads
// that did so would meet at pixels that windows share, and need atomics, whose order is chance.
// Here one thread owns a pixel of the image (and V channels) and asks the outputs that cover it, in
// order: no two write to one place, and the sum has the CPU's order.
//
// A pixel is covered by about (window / stride)^2 outputs; a thread asks for four before it adds
// the first, so that they are waited for once. Bytes: values, switches and image once. Switches of
// 8 bytes may point anywhere in the plane (max_unpool2d): then a thread owns a channel of an image
// and walks its outputs, which is slow where N C is small. Registers 24 to 64. Run on an H200 by
// its tests, not timed.
#include "kernels/pool/device.h"

namespace strata::gpu {
namespace pool {

// The outputs that cover a pixel, in order.
struct Covering {
  int p, p1, q, q0, q1;
  DEVICE Covering(const Geometry& k, int h, int w)
      : p(k.rows.first(h)),
        p1(k.rows.last(h)),
        q(k.columns.first(w)),
        q0(q),
        q1(k.columns.last(w)) {}
  DEVICE bool more() const { return p <= p1 && q <= q1; }
  DEVICE void next() {
    if (++q <= q1) return;
    q = q0;
    ++p;
  }
};
constexpr int in_flight = 4;  // outputs that a thread asks for before it adds the first

template <class T, int V>
__global__ __launch_bounds__(threads) void mean_adjoint_kernel(Geometry k, Items items,
                                                               const T* values, T* image) {
  const uint32_t index = blockIdx.x * threads + threadIdx.x;
  if (index >= items.count) return;
  const auto [n, h, w, c] = items(index);
  T total[V] = {};
  const T* line = values + k.pooled(n, 0, 0, c);
  for (Covering at(k, h, w); at.more();) {
    T value[in_flight][V], scale[in_flight];
#pragma unroll
    for (int u = 0; u < in_flight; ++u) {
      scale[u] = 0;
      if (!at.more()) continue;
      load(value[u], line + int64_t{at.p * k.columns.out + at.q} * k.C);
      scale[u] = T(1) / static_cast<T>(int64_t{k.rows.divisor(at.p)} * k.columns.divisor(at.q));
      at.next();
    }
#pragma unroll
    for (int u = 0; u < in_flight; ++u) {
      if (scale[u] == 0) continue;
#pragma unroll
      for (int i = 0; i < V; ++i) total[i] += scale[u] * value[u][i];
    }
  }
  store(total, image + k.in_image(n, h, w, c));
}

// The switches of V channels, in one word.
template <int V>
using SwitchWord =
    std::conditional_t<V == 4, uint32_t, std::conditional_t<V == 2, uint16_t, uint8_t>>;

template <class T, int V>
__global__ __launch_bounds__(threads) void scatter_kernel(Geometry k, Items items, const T* values,
                                                          const uint8_t* switches, T* image) {
  const uint32_t index = blockIdx.x * threads + threadIdx.x;
  if (index >= items.count) return;
  const auto [n, h, w, c] = items(index);
  T total[V] = {};
  const int64_t line = k.pooled(n, 0, 0, c);
  for (Covering at(k, h, w); at.more();) {
    T value[in_flight][V];
    SwitchWord<V> where[in_flight];
    int place[in_flight];
#pragma unroll
    for (int u = 0; u < in_flight; ++u) {
      place[u] = -1;
      if (!at.more()) continue;
      const int64_t from = line + int64_t{at.p * k.columns.out + at.q} * k.C;
      where[u] = *reinterpret_cast<const SwitchWord<V>*>(switches + from);
      load(value[u], values + from);
      place[u] = (h - k.rows.begin(at.p)) * k.columns.largest + (w - k.columns.begin(at.q));
      at.next();
    }
#pragma unroll
    for (int u = 0; u < in_flight; ++u) {
      if (place[u] < 0) continue;
#pragma unroll
      for (int i = 0; i < V; ++i)
        total[i] += static_cast<int>(where[u] >> (8 * i) & 255) == place[u] ? value[u][i] : T(0);
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
