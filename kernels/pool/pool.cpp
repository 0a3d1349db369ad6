#include "kernels/pool/pool.h"

#include <cstring>
#include <limits>
#include <type_traits>

#include "kernels/pool/channels.h"

namespace strata::cpu {

PoolAxis sliding_axis(int64_t in, int64_t out, int64_t window, int64_t stride, int64_t before,
                      bool count_padding) {
  PoolAxis axis;
  axis.in = in;
  axis.window = window;
  axis.stride = stride;
  axis.before = before;
  axis.count_padding = count_padding;
  for (int64_t i = 0; i < out; ++i) {
    int64_t start = i * stride - before;
    axis.begin.push_back(std::max<int64_t>(start, 0));
    axis.end.push_back(std::min(start + window, in));
    int64_t size = axis.end.back() - axis.begin.back();
    axis.divisor.push_back(count_padding ? window : size);
    axis.largest = std::max(axis.largest, size);
  }
  return axis;
}

PoolAxis adaptive_axis(int64_t in, int64_t out) {
  PoolAxis axis;
  axis.in = in;
  for (int64_t i = 0; i < out; ++i) {
    axis.begin.push_back(i * in / out);
    axis.end.push_back(((i + 1) * in + out - 1) / out);
    axis.divisor.push_back(axis.end.back() - axis.begin.back());
    axis.largest = std::max(axis.largest, axis.divisor.back());
  }
  return axis;
}

namespace {

constexpr int64_t lanes = 16;  // channels kept in registers at a time

template <class F>
void visit_type(DType dtype, F&& f) {
  if (dtype == DType::f64) {
    f(Type<double>{});
  } else {
    f(Type<float>{});
  }
}

int64_t window_cost(const PoolShape& k) {
  return k.columns.out() * k.C * k.rows.largest * k.columns.largest;
}

// A 64-byte vector of channels, with integers of the same width for their places in the window.
template <class T>
struct Lanes {
  using Integer = std::conditional_t<sizeof(T) == 8, int64_t, int32_t>;
  static constexpr int64_t count = 64 / sizeof(T);
  typedef T Vector __attribute__((vector_size(64)));
  typedef Integer Places __attribute__((vector_size(64)));
};

// The maxima of the window of output pixel (p, q), for `count` channels (at most Lanes::count), and
// their places. NaN wins, and the first value does among equals.
template <class T>
inline void max_of_window(const PoolShape& k, const T* image, int64_t p, int64_t q, int64_t count,
                          T* best_out, typename Lanes<T>::Integer* where_out) {
  using Integer = typename Lanes<T>::Integer;
  typename Lanes<T>::Vector best = {}, value = {};
  typename Lanes<T>::Places where = {};
  best -= std::numeric_limits<T>::infinity();
  int64_t W = k.columns.in, h0 = k.rows.begin[p], w0 = k.columns.begin[q];
  size_t bytes = static_cast<size_t>(count) * sizeof(T);
  for (int64_t h = h0; h < k.rows.end[p]; ++h) {
    for (int64_t w = w0; w < k.columns.end[q]; ++w) {
      const T* pixel = image + (h * W + w) * k.C;
      if (count == Lanes<T>::count) {
        std::memcpy(&value, pixel, 64);
      } else {
        std::memcpy(&value, pixel, bytes);
      }
      auto place = static_cast<Integer>((h - h0) * k.columns.largest + (w - w0));
      typename Lanes<T>::Places here = where * 0 + place, wins = ~(value <= best) & (best == best);
      best = wins ? value : best;
      where = wins ? here : where;
    }
  }
  std::memcpy(best_out, &best, 64);
  std::memcpy(where_out, &where, 64);
}

template <class T>
void store_switches(const PoolShape& k, int64_t p, int64_t q, int64_t at, int64_t count,
                    const typename Lanes<T>::Integer* where, void* switches) {
  if (!switches) return;
  if (k.compact) {
    uint8_t* out = static_cast<uint8_t*>(switches) + at;
    for (int64_t c = 0; c < count; ++c) out[c] = static_cast<uint8_t>(where[c]);
  } else {
    int64_t* out = static_cast<int64_t*>(switches) + at;
    for (int64_t c = 0; c < count; ++c) {
      int64_t h = k.rows.begin[p] + where[c] / k.columns.largest;
      out[c] = h * k.columns.in + k.columns.begin[q] + where[c] % k.columns.largest;
    }
  }
}

template <class T>
void max_pool_typed(const PoolShape& k, const T* x, T* out, void* switches) {
  int64_t P = k.rows.out(), Q = k.columns.out(), plane = k.rows.in * k.columns.in * k.C;
  for_each_item(k.N * P, k.C, window_cost(k), [&](int64_t item, int64_t first, int64_t last) {
    int64_t n = item / P, p = item % P;
    alignas(64) T best[Lanes<T>::count];
    alignas(64) typename Lanes<T>::Integer where[Lanes<T>::count];
    for (int64_t q = 0; q < Q; ++q) {
      int64_t pixel = (item * Q + q) * k.C;
      for (int64_t c = first; c < last; c += Lanes<T>::count) {
        int64_t count = std::min(Lanes<T>::count, last - c);
        const T* image = x + n * plane + c;
        max_of_window(k, image, p, q, count, best, where);
        std::copy(best, best + count, out + pixel + c);
        store_switches<T>(k, p, q, pixel + c, count, where, switches);
      }
    }
  });
}

// Compact switches: every pixel of the window takes the value or nothing, along C.
template <class T>
void scatter_compact(const PoolShape& k, const T* values, const uint8_t* switches, T* image,
                     int64_t n, int64_t first, int64_t last) {
  int64_t P = k.rows.out(), Q = k.columns.out(), W = k.columns.in;
  for (int64_t p = 0; p < P; ++p) {
    for (int64_t q = 0; q < Q; ++q) {
      const T* value = values + ((n * P + p) * Q + q) * k.C;
      const uint8_t* where = switches + ((n * P + p) * Q + q) * k.C;
      for (int64_t h = k.rows.begin[p]; h < k.rows.end[p]; ++h) {
        for (int64_t w = k.columns.begin[q]; w < k.columns.end[q]; ++w) {
          T* pixel = image + (h * W + w) * k.C;
          int32_t place = static_cast<int32_t>((h - k.rows.begin[p]) * k.columns.largest + w -
                                               k.columns.begin[q]);
          for (int64_t c = first; c < last; ++c) pixel[c] += where[c] == place ? value[c] : T(0);
        }
      }
    }
  }
}

template <class T>
void pool_scatter_typed(const PoolShape& k, const T* values, const void* switches, T* image) {
  int64_t outputs = k.rows.out() * k.columns.out(), pixels = k.rows.in * k.columns.in;
  int64_t cost = (pixels + outputs) * k.C * 2;
  for_each_item(k.N, k.C, cost, [&](int64_t n, int64_t first, int64_t last) {
    T* plane = image + n * pixels * k.C;
    for (int64_t i = 0; i < pixels; ++i) {
      std::fill(plane + i * k.C + first, plane + i * k.C + last, T(0));
    }
    if (k.compact) {
      return scatter_compact(k, values, static_cast<const uint8_t*>(switches), plane, n, first,
                             last);
    }
    const int64_t* where = static_cast<const int64_t*>(switches);
    for (int64_t i = n * outputs; i < (n + 1) * outputs; ++i) {
      for (int64_t c = first; c < last; ++c) {
        plane[where[i * k.C + c] * k.C + c] += values[i * k.C + c];
      }
    }
  });
}

template <class T>
void pool_gather_typed(const PoolShape& k, const T* image, const void* switches, T* values) {
  int64_t P = k.rows.out(), Q = k.columns.out(), W = k.columns.in;
  for_each_item(k.N * P, k.C, Q * k.C, [&](int64_t item, int64_t first, int64_t last) {
    int64_t p = item % P;
    const T* plane = image + item / P * k.rows.in * W * k.C;
    for (int64_t q = 0; q < Q; ++q) {
      for (int64_t c = first; c < last; ++c) {
        int64_t i = (item * Q + q) * k.C + c, place;
        if (k.compact) {
          int64_t in_window = static_cast<const uint8_t*>(switches)[i];
          place = (k.rows.begin[p] + in_window / k.columns.largest) * W + k.columns.begin[q] +
                  in_window % k.columns.largest;
        } else {
          place = static_cast<const int64_t*>(switches)[i];
        }
        values[i] = plane[place * k.C + c];
      }
    }
  });
}

template <class T>
T scale_of(const PoolShape& k, int64_t p, int64_t q) {
  return T(1) / static_cast<T>(k.rows.divisor[p] * k.columns.divisor[q]);
}

// Rows of the window are summed on their own, so that rounding grows with its height and its width
// and not with their product.
template <class T, class Count>
inline void mean_of_window(const PoolShape& k, const T* image, int64_t p, int64_t q, Count count,
                           T* out) {
  T total[lanes] = {}, scale = scale_of<T>(k, p, q);
  for (int64_t h = k.rows.begin[p]; h < k.rows.end[p]; ++h) {
    T row[lanes] = {};
    for (int64_t w = k.columns.begin[q]; w < k.columns.end[q]; ++w) {
      const T* pixel = image + (h * k.columns.in + w) * k.C;
      for (int64_t c = 0; c < count; ++c) row[c] += pixel[c];
    }
    for (int64_t c = 0; c < count; ++c) total[c] += row[c];
  }
  for (int64_t c = 0; c < count; ++c) out[c] = total[c] * scale;
}

template <class T>
void mean_pool_typed(const PoolShape& k, const T* x, T* out) {
  int64_t P = k.rows.out(), Q = k.columns.out(), plane = k.rows.in * k.columns.in * k.C;
  for_each_item(k.N * P, k.C, window_cost(k), [&](int64_t item, int64_t first, int64_t last) {
    const T* image = x + item / P * plane;
    for (int64_t q = 0; q < Q; ++q) {
      T* pixel = out + (item * Q + q) * k.C;
      for (int64_t c = first; c < last; c += lanes) {
        if (last - c >= lanes) {
          mean_of_window(k, image + c, item % P, q, std::integral_constant<int64_t, lanes>{},
                         pixel + c);
        } else {
          mean_of_window(k, image + c, item % P, q, last - c, pixel + c);
        }
      }
    }
  });
}

template <class T>
void mean_pool_adjoint_typed(const PoolShape& k, const T* values, T* image) {
  int64_t P = k.rows.out(), Q = k.columns.out(), W = k.columns.in, pixels = k.rows.in * W;
  int64_t cost = pixels * k.C + P * window_cost(k);
  for_each_item(k.N, k.C, cost, [&](int64_t n, int64_t first, int64_t last) {
    T* plane = image + n * pixels * k.C;
    for (int64_t i = 0; i < pixels; ++i) {
      std::fill(plane + i * k.C + first, plane + i * k.C + last, T(0));
    }
    for (int64_t p = 0; p < P; ++p) {
      for (int64_t q = 0; q < Q; ++q) {
        const T* value = values + ((n * P + p) * Q + q) * k.C;
        T scale = scale_of<T>(k, p, q);
        for (int64_t h = k.rows.begin[p]; h < k.rows.end[p]; ++h) {
          for (int64_t w = k.columns.begin[q]; w < k.columns.end[q]; ++w) {
            T* pixel = plane + (h * W + w) * k.C;
            for (int64_t c = first; c < last; ++c) pixel[c] += scale * value[c];
          }
        }
      }
    }
  });
}

}  // namespace

void max_pool(const PoolShape& shape, const void* x, void* out, void* switches) {
  visit_type(shape.dtype, [&]<class T>(Type<T>) {
    max_pool_typed(shape, static_cast<const T*>(x), static_cast<T*>(out), switches);
  });
}
void pool_scatter(const PoolShape& shape, const void* values, const void* switches, void* image) {
  visit_type(shape.dtype, [&]<class T>(Type<T>) {
    pool_scatter_typed(shape, static_cast<const T*>(values), switches, static_cast<T*>(image));
  });
}
void pool_gather(const PoolShape& shape, const void* image, const void* switches, void* values) {
  visit_type(shape.dtype, [&]<class T>(Type<T>) {
    pool_gather_typed(shape, static_cast<const T*>(image), switches, static_cast<T*>(values));
  });
}
void mean_pool(const PoolShape& shape, const void* x, void* out) {
  visit_type(shape.dtype, [&]<class T>(Type<T>) {
    mean_pool_typed(shape, static_cast<const T*>(x), static_cast<T*>(out));
  });
}
void mean_pool_adjoint(const PoolShape& shape, const void* values, void* image) {
  visit_type(shape.dtype, [&]<class T>(Type<T>) {
    mean_pool_adjoint_typed(shape, static_cast<const T*>(values), static_cast<T*>(image));
  });
}

}  // namespace strata::cpu
