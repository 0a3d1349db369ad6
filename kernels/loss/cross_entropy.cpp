// The CPU twin.
#include "kernels/loss/cross_entropy.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include "kernels/common/parallel.h"
#include "kernels/common/vec_math.h"

namespace strata::cpu {
namespace {

// Elements a thread should have before it is worth waking.
constexpr int64_t grain_elements = 16384;

template <class Body>
void for_each_row(int64_t rows, int64_t classes, Body&& body) {
  parallel_for(rows, std::max<int64_t>(1, grain_elements / classes),
               [&](int64_t begin, int64_t end) {
                 for (int64_t r = begin; r < end; ++r) body(r);
               });
}

template <class T>
void forward_row(const CrossEntropyArgs& args, int64_t r) {
  using C = Compute<T>;
  const int64_t n = args.classes, target = args.target[r];
  const T* x = static_cast<const T*>(args.logits) + r * n;
  C m = -std::numeric_limits<C>::infinity(), sum = 0;
#pragma omp simd reduction(max : m)
  for (int64_t i = 0; i < n; ++i) {
    C value = static_cast<C>(x[i]);
    m = value > m ? value : m;
  }
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < n; ++i) sum += math::exp(static_cast<C>(x[i]) - m);
  C log_sum = std::log(sum), loss = 0;
  if (target != args.ignore_index) {
    loss = log_sum - (static_cast<C>(x[target]) - m);
    if (args.smoothing > 0) {
      C below = 0;  // sum of x - m
#pragma omp simd reduction(+ : below)
      for (int64_t i = 0; i < n; ++i) below += static_cast<C>(x[i]) - m;
      C even = log_sum - below / static_cast<C>(n), share = static_cast<C>(args.smoothing);
      loss = (1 - share) * loss + share * even;
    }
  }
  static_cast<C*>(args.loss)[r] = loss;
  static_cast<C*>(args.largest)[r] = m;
  static_cast<C*>(args.log_sum)[r] = log_sum;
}

template <class T>
void backward_row(const CrossEntropyGradientArgs& args, int64_t r) {
  using C = Compute<T>;
  const int64_t n = args.classes, target = args.target[r];
  const T* x = static_cast<const T*>(args.logits) + r * n;
  T* dx = static_cast<T*>(args.dx) + r * n;
  if (target == args.ignore_index) {
    std::fill(dx, dx + n, T(0));
    return;
  }
  const C m = static_cast<const C*>(args.largest)[r], l = static_cast<const C*>(args.log_sum)[r];
  const C g = static_cast<C>(args.gradient[r * args.gradient_stride]);
  const C share = static_cast<C>(args.smoothing), even = share / static_cast<C>(n);
  const C wanted = static_cast<C>(x[target]);
#pragma omp simd
  for (int64_t i = 0; i < n; ++i) {
    dx[i] = g * (math::exp((static_cast<C>(x[i]) - m) - l) - even);
  }
  // Worked out again, since a 16-bit dx has already been rounded.
  dx[target] = g * (math::exp((wanted - m) - l) - even - (1 - share));
}

}  // namespace

void cross_entropy(const CrossEntropyArgs& args) {
  if (args.rows * args.classes == 0) return;
  visit_float(args.dtype, [&]<class T>(Type<T>) {
    for_each_row(args.rows, args.classes, [&](int64_t r) { forward_row<T>(args, r); });
  });
}

void cross_entropy_gradient(const CrossEntropyGradientArgs& args) {
  if (args.rows * args.classes == 0) return;
  visit_float(args.dtype, [&]<class T>(Type<T>) {
    for_each_row(args.rows, args.classes, [&](int64_t r) { backward_row<T>(args, r); });
  });
}

void cross_entropy_in_place(const CrossEntropyInPlaceArgs& args) {
  if (args.rows * args.classes == 0) return;
  const size_t bytes = (args.dtype == DType::f64 ? 8 : 4) * static_cast<size_t>(args.rows);
  const auto largest = std::make_unique_for_overwrite<unsigned char[]>(bytes);
  const auto log_sum = std::make_unique_for_overwrite<unsigned char[]>(bytes);
  cross_entropy({args.logits, args.target, args.loss, largest.get(), log_sum.get(), args.rows,
                 args.classes, args.smoothing, args.ignore_index, args.dtype});
  cross_entropy_gradient({args.logits, args.target, largest.get(), log_sum.get(), args.gradient,
                          args.gradient_stride, args.logits, args.rows, args.classes,
                          args.smoothing, args.ignore_index, args.dtype});
}

}  // namespace strata::cpu
