// The CPU twin. Two forms: rows next to each other in memory (inner = 1), vectorised along the row;
// and columns (inner > 1), vectorised over a block of neighbouring rows.
#include "kernels/softmax/softmax.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/common/parallel.h"
#include "kernels/common/vec_math.h"

namespace strata::cpu {
namespace {

// Elements a thread should have before it is worth waking.
constexpr int64_t grain_elements = 16384;
// Neighbouring rows handled together when the axis is not the last: eight cache lines of f32.
constexpr int64_t block = 128;

// The maximum skips NaN (a comparison with NaN is false); the sum that follows brings it back.
template <class T>
Compute<T> row_max(const T* x, int64_t n) {
  using C = Compute<T>;
  C m = -std::numeric_limits<C>::infinity();
#pragma omp simd reduction(max : m)
  for (int64_t i = 0; i < n; ++i) {
    C value = static_cast<C>(x[i]);
    m = value > m ? value : m;
  }
  return m;
}

template <class T>
void softmax_row(const T* x, T* y, int64_t n) {
  using C = Compute<T>;
  constexpr bool narrow = !std::is_same_v<T, C>;
  C m = row_max(x, n), sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < n; ++i) {
    C e = math::exp(static_cast<C>(x[i]) - m);
    sum += e;
    if constexpr (!narrow) y[i] = e;
  }
  C factor = 1 / sum;
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) {
    // A 16-bit type would round twice if it kept the exponential.
    if constexpr (narrow) {
      y[i] = math::exp(static_cast<C>(x[i]) - m) * factor;
    } else {
      y[i] *= factor;
    }
  }
}

template <class T>
void log_softmax_row(const T* x, T* y, int64_t n) {
  using C = Compute<T>;
  C m = row_max(x, n), sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < n; ++i) sum += math::exp(static_cast<C>(x[i]) - m);
  // (x - m) - log sum, not x - (m + log sum): the second loses digits when m is large.
  C log_sum = std::log(sum);
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) y[i] = (static_cast<C>(x[i]) - m) - log_sum;
}

// Rows [.., column .. column + width) of one outer index; element i of row j is at x[i * inner +
// j].
template <class T>
void softmax_columns(const T* x, T* y, int64_t size, int64_t inner, int64_t width, bool log) {
  using C = Compute<T>;
  C m[block], sum[block];
  for (int64_t j = 0; j < width; ++j) {
    m[j] = -std::numeric_limits<C>::infinity();
    sum[j] = 0;
  }
  for (int64_t i = 0; i < size; ++i) {
#pragma omp simd
    for (int64_t j = 0; j < width; ++j) {
      C value = static_cast<C>(x[i * inner + j]);
      m[j] = value > m[j] ? value : m[j];
    }
  }
  for (int64_t i = 0; i < size; ++i) {
#pragma omp simd
    for (int64_t j = 0; j < width; ++j) {
      sum[j] += math::exp(static_cast<C>(x[i * inner + j]) - m[j]);
    }
  }
  for (int64_t j = 0; j < width; ++j) sum[j] = log ? std::log(sum[j]) : 1 / sum[j];
  for (int64_t i = 0; i < size; ++i) {
    const T* from = x + i * inner;
    T* to = y + i * inner;
    if (log) {
#pragma omp simd
      for (int64_t j = 0; j < width; ++j) to[j] = (static_cast<C>(from[j]) - m[j]) - sum[j];
    } else {
#pragma omp simd
      for (int64_t j = 0; j < width; ++j) {
        to[j] = math::exp(static_cast<C>(from[j]) - m[j]) * sum[j];
      }
    }
  }
}

template <class T>
void gradient_row(const T* y, const T* dy, T* dx, int64_t n, bool log) {
  using C = Compute<T>;
  C sum = 0;
  if (log) {
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < n; ++i) sum += static_cast<C>(dy[i]);
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) {
      dx[i] = static_cast<C>(dy[i]) - math::exp(static_cast<C>(y[i])) * sum;
    }
  } else {
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < n; ++i) sum += static_cast<C>(dy[i]) * static_cast<C>(y[i]);
#pragma omp simd
    for (int64_t i = 0; i < n; ++i) {
      dx[i] = static_cast<C>(y[i]) * (static_cast<C>(dy[i]) - sum);
    }
  }
}

template <class T>
void gradient_columns(const T* y, const T* dy, T* dx, int64_t size, int64_t inner, int64_t width,
                      bool log) {
  using C = Compute<T>;
  C sum[block] = {};
  for (int64_t i = 0; i < size; ++i) {
#pragma omp simd
    for (int64_t j = 0; j < width; ++j) {
      C g = static_cast<C>(dy[i * inner + j]);
      sum[j] += log ? g : g * static_cast<C>(y[i * inner + j]);
    }
  }
  for (int64_t i = 0; i < size; ++i) {
    int64_t at = i * inner;
    if (log) {
#pragma omp simd
      for (int64_t j = 0; j < width; ++j) {
        dx[at + j] = static_cast<C>(dy[at + j]) - math::exp(static_cast<C>(y[at + j])) * sum[j];
      }
    } else {
#pragma omp simd
      for (int64_t j = 0; j < width; ++j) {
        dx[at + j] = static_cast<C>(y[at + j]) * (static_cast<C>(dy[at + j]) - sum[j]);
      }
    }
  }
}

// Calls body(offset of the first element, rows in this piece) for each block of neighbouring rows.
template <class Body>
void for_each_column_block(int64_t outer, int64_t size, int64_t inner, Body&& body) {
  int64_t blocks = (inner + block - 1) / block;
  int64_t grain = std::max<int64_t>(1, grain_elements / (size * std::min(inner, block)));
  parallel_for(outer * blocks, grain, [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) {
      int64_t column = b % blocks * block;
      body(b / blocks * size * inner + column, std::min(block, inner - column));
    }
  });
}

}  // namespace

void softmax(const SoftmaxArgs& args) {
  if (args.outer * args.size * args.inner == 0) return;
  visit_float(args.dtype, [&]<class T>(Type<T>) {
    const T* x = static_cast<const T*>(args.x);
    T* y = static_cast<T*>(args.y);
    int64_t n = args.size;
    if (args.inner == 1) {
      int64_t grain = std::max<int64_t>(1, grain_elements / n);
      parallel_for(args.outer, grain, [&](int64_t begin, int64_t end) {
        for (int64_t r = begin; r < end; ++r) {
          if (args.log) {
            log_softmax_row(x + r * n, y + r * n, n);
          } else {
            softmax_row(x + r * n, y + r * n, n);
          }
        }
      });
      return;
    }
    for_each_column_block(args.outer, n, args.inner, [&](int64_t at, int64_t width) {
      softmax_columns(x + at, y + at, n, args.inner, width, args.log);
    });
  });
}

void softmax_gradient(const SoftmaxGradientArgs& args) {
  if (args.outer * args.size * args.inner == 0) return;
  visit_float(args.dtype, [&]<class T>(Type<T>) {
    const T *y = static_cast<const T*>(args.y), *dy = static_cast<const T*>(args.dy);
    T* dx = static_cast<T*>(args.dx);
    int64_t n = args.size;
    if (args.inner == 1) {
      int64_t grain = std::max<int64_t>(1, grain_elements / n);
      parallel_for(args.outer, grain, [&](int64_t begin, int64_t end) {
        for (int64_t r = begin; r < end; ++r) {
          gradient_row(y + r * n, dy + r * n, dx + r * n, n, args.log);
        }
      });
      return;
    }
    for_each_column_block(args.outer, n, args.inner, [&](int64_t at, int64_t width) {
      gradient_columns(y + at, dy + at, dx + at, n, args.inner, width, args.log);
    });
  });
}

}  // namespace strata::cpu
