// The CPU twin: three passes over a row in the cache (mean, deviation, result).
#include "kernels/norm/rows.h"

#include <algorithm>
#include <cmath>
#include <memory>

#include "kernels/common/parallel.h"

namespace strata::cpu {
namespace {

// Elements a thread should have before it is worth waking.
constexpr int64_t grain_elements = 16384;
// Chunks that the sums over rows are cut into, at most: partial sums stay small beside the rows.
constexpr int64_t most_chunks = 64;

template <class T>
Compute<T> row_mean(const T* x, int64_t n) {
  using C = Compute<T>;
  C sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < n; ++i) sum += static_cast<C>(x[i]);
  return sum / static_cast<C>(n);
}

template <class T, class C>
C mean_square(const T* x, C mean, int64_t n) {
  C sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < n; ++i) {
    C d = static_cast<C>(x[i]) - mean;
    sum += d * d;
  }
  return sum / static_cast<C>(n);
}

template <class T, class C>
void normalise_row(const T* x, T* y, const C* scale, const C* shift, C mean, C inverse, int64_t n) {
  if (scale && shift) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) {
      y[i] = (static_cast<C>(x[i]) - mean) * inverse * scale[i] + shift[i];
    }
  } else if (scale) {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) y[i] = (static_cast<C>(x[i]) - mean) * inverse * scale[i];
  } else {
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) {
      y[i] = (static_cast<C>(x[i]) - mean) * inverse + (shift ? shift[i] : C(0));
    }
  }
}

// dx of one row. With u = dy scale: sums of u and u d (d = x - mean) first, then the result.
template <bool scaled, bool centred, class T, class C>
void gradient_row(const T* x, const T* dy, T* dx, const C* scale, C mean, C inverse, int64_t n) {
  C sum_u = 0, sum_ud = 0;
#pragma omp simd reduction(+ : sum_u, sum_ud)
  for (int64_t i = 0; i < n; ++i) {
    C u = static_cast<C>(dy[i]);
    if constexpr (scaled) u *= scale[i];
    sum_u += u;
    sum_ud += u * (static_cast<C>(x[i]) - mean);
  }
  C b = centred ? sum_u / static_cast<C>(n) : C(0);
  C c = sum_ud / static_cast<C>(n) * inverse * inverse;
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) {
    C u = static_cast<C>(dy[i]);
    if constexpr (scaled) u *= scale[i];
    dx[i] = (u - b - (static_cast<C>(x[i]) - mean) * c) * inverse;
  }
}

template <class T, class C>
void add_parameter_row(const T* x, const T* dy, C* dscale, C* dshift, C mean, C inverse,
                       int64_t n) {
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) {
    C g = static_cast<C>(dy[i]);
    dscale[i] += g * (static_cast<C>(x[i]) - mean) * inverse;
    dshift[i] += g;
  }
}

template <class T>
void row_norm_typed(const RowNormArgs& args) {
  using C = Compute<T>;
  const int64_t n = args.channels;
  const C *scale = static_cast<const C*>(args.scale), *shift = static_cast<const C*>(args.shift);
  parallel_for(
      args.rows, std::max<int64_t>(1, grain_elements / n), [&](int64_t begin, int64_t end) {
        for (int64_t r = begin; r < end; ++r) {
          const T* x = static_cast<const T*>(args.x) + r * n;
          C mean = args.mean ? row_mean(x, n) : C(0);
          C inverse = 1 / std::sqrt(mean_square(x, mean, n) + static_cast<C>(args.epsilon));
          normalise_row(x, static_cast<T*>(args.y) + r * n, scale, shift, mean, inverse, n);
          if (args.mean) static_cast<C*>(args.mean)[r] = mean;
          static_cast<C*>(args.inverse)[r] = inverse;
        }
      });
}

template <class T, class C>
void gradient_dx(const RowNormGradientArgs& args, int64_t r, C mean, C inverse) {
  const int64_t n = args.channels;
  const T* x = static_cast<const T*>(args.x) + r * n;
  const T* dy = static_cast<const T*>(args.dy) + r * n;
  T* dx = static_cast<T*>(args.dx) + r * n;
  const C* scale = static_cast<const C*>(args.scale);
  if (scale && args.mean) gradient_row<true, true>(x, dy, dx, scale, mean, inverse, n);
  if (scale && !args.mean) gradient_row<true, false>(x, dy, dx, scale, mean, inverse, n);
  if (!scale && args.mean) gradient_row<false, true>(x, dy, dx, scale, mean, inverse, n);
  if (!scale && !args.mean) gradient_row<false, false>(x, dy, dx, scale, mean, inverse, n);
}

template <class T>
void row_norm_gradient_typed(const RowNormGradientArgs& args) {
  using C = Compute<T>;
  const int64_t n = args.channels;
  const bool parameters = args.dscale || args.dshift;
  const int64_t chunk = std::max({(args.rows + most_chunks - 1) / most_chunks, int64_t{8},
                                  grain_elements / std::max<int64_t>(n, 1)});
  const int64_t chunks = (args.rows + chunk - 1) / chunk;
  std::unique_ptr<C[]> partial;
  if (parameters) partial = std::make_unique<C[]>(static_cast<size_t>(chunks * 2 * n));
  parallel_chunks(args.rows, chunk, [&](int64_t index, int64_t begin, int64_t end) {
    C* dscale = partial.get() + index * 2 * n;
    for (int64_t r = begin; r < end; ++r) {
      C mean = args.mean ? static_cast<const C*>(args.mean)[r] : C(0);
      C inverse = static_cast<const C*>(args.inverse)[r];
      if (args.dx) gradient_dx<T>(args, r, mean, inverse);
      if (parameters) {
        add_parameter_row(static_cast<const T*>(args.x) + r * n,
                          static_cast<const T*>(args.dy) + r * n, dscale, dscale + n, mean, inverse,
                          n);
      }
    }
  });
  for (int which = 0; which < 2; ++which) {
    C* to = static_cast<C*>(which == 0 ? args.dscale : args.dshift);
    if (!to) continue;
    for (int64_t i = 0; i < n; ++i) {
      double sum = 0;
      for (int64_t k = 0; k < chunks; ++k) sum += partial[(k * 2 + which) * n + i];
      to[i] = static_cast<C>(sum);
    }
  }
}

}  // namespace

void row_norm(const RowNormArgs& args) {
  if (args.rows * args.channels == 0) return;
  visit_float(args.dtype, [&]<class T>(Type<T>) { row_norm_typed<T>(args); });
}

void row_norm_gradient(const RowNormGradientArgs& args) {
  if (args.channels == 0) return;
  visit_float(args.dtype, [&]<class T>(Type<T>) { row_norm_gradient_typed<T>(args); });
}

}  // namespace strata::cpu
