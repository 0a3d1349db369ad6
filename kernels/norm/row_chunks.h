// What the rungs of the row norms share: statistics of a row from sums, and the formulas of the
// header (rows.h) applied to a chunk.
#pragma once

#include "kernels/gpu/convert.h"
#include "kernels/norm/rows.h"
#include "kernels/reduce/block_reduce.h"
#include "kernels/reduce/row.h"

namespace strata::gpu {

// 1 / sqrt(x), within 2 units of the last place.
DEVICE float inverse_root(float x) { return ::rsqrtf(x); }
DEVICE double inverse_root(double x) { return ::rsqrt(x); }

template <class C>
struct RowStatistics {
  C mean, inverse;
};
// From the sums of d and d^2, d = x - shift, and share = 1 / n. With a shift near the mean this is
// the corrected two-pass algorithm (Chan, Golub and LeVeque 1983): the first sum takes away what
// the rounding of the shift left.
template <class C>
DEVICE RowStatistics<C> statistics_about(C shift, const Sums<C, 2>& sums, C share, C epsilon) {
  const C off = sums.value[0] * share;
  const C variance = sums.value[1] * share - off * off;
  return {shift + off,
          inverse_root((variance > 0 || variance != variance ? variance : C(0)) + epsilon)};
}

// Sums of d and d^2 over the elements of a chunk that lie in the row; the chunk's first, so that
// the chains of several chunks overlap.
template <class T, bool Whole = false>
DEVICE void add_deviations(const Chunk<T>& x, int at, int n, Compute<T> shift,
                           Sums<Compute<T>, 2>& sums) {
  using C = Compute<T>;
  C d[vector_width<T>];
  expand(x, d);
  Sums<C, 2> own{};
#pragma unroll
  for (int j = 0; j < vector_width<T>; ++j) {
    d[j] = inside(Whole ? at : at + j, n) ? d[j] - shift : C(0);
    own.value[0] += d[j];
    own.value[1] += d[j] * d[j];
  }
  sums = sums + own;
}
template <class T>
DEVICE Compute<T> sum_of_chunk(const Chunk<T>& x) {
  Compute<T> values[vector_width<T>], sum = 0;
  expand(x, values);
#pragma unroll
  for (int j = 0; j < vector_width<T>; ++j) sum += values[j];
  return sum;
}

// Writes mean and inverse of a row, by one thread of its group.
template <class C>
DEVICE void write_statistics(const RowNormArgs& args, int64_t row, const RowStatistics<C>& of) {
  if (args.mean) static_cast<C*>(args.mean)[row] = of.mean;
  static_cast<C*>(args.inverse)[row] = of.inverse;
}

// Scale or shift beside a whole chunk; where there is none, `otherwise`.
template <class T>
DEVICE void parameter_or(const void* from, int at, int n, Compute<T> otherwise,
                         Compute<T> (&values)[vector_width<T>]) {
  using C = Compute<T>;
#pragma unroll
  for (int j = 0; j < vector_width<T>; ++j) values[j] = otherwise;
  if (from) load_beside<true>(static_cast<const C*>(from), at, n, otherwise, values);
}

// y of a chunk.
template <class T, bool Whole = false>
DEVICE Chunk<T> normalised(const RowNormArgs& args, const Chunk<T>& x, int at, int n,
                           const RowStatistics<Compute<T>>& of) {
  using C = Compute<T>;
  constexpr int W = vector_width<T>;
  C y[W], parameter[W];
  expand(x, y);
#pragma unroll
  for (int j = 0; j < W; ++j) y[j] = (y[j] - of.mean) * of.inverse;
  if (args.scale) {
    load_beside<Whole>(static_cast<const C*>(args.scale), at, n, C(0), parameter);
#pragma unroll
    for (int j = 0; j < W; ++j) y[j] *= parameter[j];
  }
  if (args.shift) {
    load_beside<Whole>(static_cast<const C*>(args.shift), at, n, C(0), parameter);
#pragma unroll
    for (int j = 0; j < W; ++j) y[j] += parameter[j];
  }
  return contract<T>(y);
}

// Statistics of a row for the gradient.
template <class C>
DEVICE RowStatistics<C> saved_statistics(const RowNormGradientArgs& args, int64_t row) {
  return {args.mean ? static_cast<const C*>(args.mean)[row] : C(0),
          static_cast<const C*>(args.inverse)[row]};
}
// u = dy scale and d = x - mean of a chunk.
template <class T, bool Whole = false>
DEVICE void gradient_terms(const RowNormGradientArgs& args, const Chunk<T>& x, const Chunk<T>& dy,
                           int at, int n, Compute<T> mean, Compute<T> (&u)[vector_width<T>],
                           Compute<T> (&d)[vector_width<T>]) {
  using C = Compute<T>;
  constexpr int W = vector_width<T>;
  expand(dy, u);
  expand(x, d);
#pragma unroll
  for (int j = 0; j < W; ++j) d[j] -= mean;
  if (args.scale) {
    C scale[W];
    load_beside<Whole>(static_cast<const C*>(args.scale), at, n, C(0), scale);
#pragma unroll
    for (int j = 0; j < W; ++j) u[j] *= scale[j];
  }
}
// Sums of u and u d; dy of elements outside the row is 0.
template <class T, bool Whole = false>
DEVICE void add_gradient_terms(const RowNormGradientArgs& args, const Chunk<T>& x,
                               const Chunk<T>& dy, int at, int n, Compute<T> mean,
                               Sums<Compute<T>, 2>& sums) {
  Compute<T> u[vector_width<T>], d[vector_width<T>];
  gradient_terms<T, Whole>(args, x, dy, at, n, mean, u, d);
  Sums<Compute<T>, 2> own{};
#pragma unroll
  for (int j = 0; j < vector_width<T>; ++j) {
    own.value[0] += u[j];
    own.value[1] += u[j] * d[j];
  }
  sums = sums + own;
}
// dx = (u - b - d c) inverse of a chunk, from the sums of its row; share = 1 / n.
template <class T, bool Whole = false>
DEVICE Chunk<T> input_gradient(const RowNormGradientArgs& args, const Chunk<T>& x,
                               const Chunk<T>& dy, int at, int n,
                               const RowStatistics<Compute<T>>& of, const Sums<Compute<T>, 2>& sums,
                               Compute<T> share) {
  using C = Compute<T>;
  const C b = args.mean ? sums.value[0] * share : C(0);
  const C c = sums.value[1] * share * of.inverse * of.inverse;
  C u[vector_width<T>], d[vector_width<T>];
  gradient_terms<T, Whole>(args, x, dy, at, n, of.mean, u, d);
#pragma unroll
  for (int j = 0; j < vector_width<T>; ++j) u[j] = (u[j] - b - d[j] * c) * of.inverse;
  return contract<T>(u);
}

}  // namespace strata::gpu
