// What the rungs of cross entropy share: the state of a row (an online softmax and, for label
// smoothing, the sum of x - largest), its loss, and the gradient of a chunk.
#pragma once

#include "kernels/loss/cross_entropy.h"
#include "kernels/softmax/online.h"

namespace strata::gpu {

template <class T>
struct RowLoss {
  using C = Compute<T>;
  OnlineSoftmax<T> softmax;
  C below, count;  // sum of x - softmax.largest, over how many

  DEVICE static RowLoss empty() { return {OnlineSoftmax<T>::empty(), C(0), C(0)}; }
  // The sum, when the largest element grows to `largest`.
  DEVICE C below_of(C largest) const {
    return count > 0 && softmax.largest < largest ? below + count * (softmax.largest - largest)
                                                  : below;
  }
  DEVICE void add(const Chunk<T>& chunk, int at, int n, bool smooth) {
    C x[vector_width<T>];
    expand(chunk, x);
    const RowLoss before = *this;
    softmax.add(x);
    if (!smooth) return;
    below = before.below_of(softmax.largest);
#pragma unroll
    for (int j = 0; j < vector_width<T>; ++j) {
      if (!inside(at + j, n)) continue;
      below += x[j] == softmax.largest ? C(0) : x[j] - softmax.largest;
      count += 1;
    }
  }
  // log sum exp(x - largest); NaN where the row has no softmax.
  DEVICE C log_sum() const { return logarithm(softmax.total()); }
  // Of a row whose target has the logit `target`.
  DEVICE C loss(C target, C smoothing, int n) const {
    const C sharp = log_sum() - (target - softmax.largest);
    if (!(smoothing > 0)) return sharp;
    const C even = log_sum() - below / static_cast<C>(n);
    return (1 - smoothing) * sharp + smoothing * even;
  }
};
struct CombineRowLoss {
  template <class T>
  DEVICE RowLoss<T> operator()(const RowLoss<T>& a, const RowLoss<T>& b) const {
    const OnlineSoftmax<T> softmax = CombineOnline{}(a.softmax, b.softmax);
    return {softmax, a.below_of(softmax.largest) + b.below_of(softmax.largest), a.count + b.count};
  }
};

// dx = g (p - (1 - s) [c = t] - s / C) of the elements at, at + 1, ... of a row, where
// p = exp(x - largest) share. The target's is computed apart, in the one chunk that holds it, so
// that the others cost an FMA after their exponential.
template <class T>
struct LogitGradient {
  using C = Compute<T>;
  C largest, share, scale, even, sharp;  // share: 1 / sum; scale: g; even: s / C; sharp: 1 - s
  int target;

  DEVICE Chunk<T> operator()(const Chunk<T>& x, int at) const {
    constexpr int W = vector_width<T>;
    C values[W];
    expand(x, values);
    const bool holds_target = inside(target - at, W);
    C of_target = 0;
    if (holds_target) {
#pragma unroll
      for (int j = 0; j < W; ++j)
        if (at + j == target) of_target = values[j];
      of_target = scale * (exponential_or_zero<T>(of_target - largest) * share - even - sharp);
    }
#pragma unroll
    for (C& value : values)
      value = multiply_add(exponential_or_zero<T>(value - largest), scale * share, -scale * even);
    if (holds_target) {
#pragma unroll
      for (int j = 0; j < W; ++j)
        if (at + j == target) values[j] = of_target;
    }
    return contract<T>(values);
  }
  DEVICE static float multiply_add(float a, float b, float c) { return ::fmaf(a, b, c); }
  DEVICE static double multiply_add(double a, double b, double c) { return ::fma(a, b, c); }
};
template <class T>
DEVICE LogitGradient<T> logit_gradient(Compute<T> largest, Compute<T> share, double gradient,
                                       double smoothing, int n, int64_t target) {
  using C = Compute<T>;
  const C s = static_cast<C>(smoothing);
  return {largest,
          share,
          static_cast<C>(gradient),
          s / static_cast<C>(n),
          1 - s,
          static_cast<int>(target)};
}

// Forward and backward of one row that `load(k, at)` hands out in `count` chunks, the first at
// `first`, `step` apart: writes the loss, and hands each gradient chunk to `store(k, at, chunk)`.
template <class T, class Group, int Unroll, class Load, class Store>
DEVICE void fused_row(const CrossEntropyInPlaceArgs& args, int64_t row, int first, int step,
                      int count, Load load, Store store) {
  using C = Compute<T>;
  const int n = static_cast<int>(args.classes);
  const int64_t target = args.target[row];
  const bool ignored = target == args.ignore_index;
  // Read before the row is overwritten: combine() lies between.
  const C wanted = Group::rank() == 0 && !ignored
                       ? to_compute(static_cast<const T*>(args.logits)[row * n + target])
                       : C(0);
  auto state = RowLoss<T>::empty();
#pragma unroll Unroll
  for (int k = 0; k < count; ++k)
    state.add(load(k, first + k * step), first + k * step, n, args.smoothing > 0);
  if (args.smoothing > 0)
    state = Group::combine(state, CombineRowLoss{});
  else
    state.softmax = Group::combine(state.softmax, CombineOnline{});
  if (Group::rank() == 0)
    static_cast<C*>(args.loss)[row] =
        ignored ? C(0) : state.loss(wanted, static_cast<C>(args.smoothing), n);
  const auto gradient =
      logit_gradient<T>(state.softmax.largest, 1 / state.softmax.total(),
                        args.gradient[row * args.gradient_stride], args.smoothing, n, target);
  const Chunk<T> zeros{};
#pragma unroll Unroll
  for (int k = 0; k < count; ++k) {
    const int at = first + k * step;
    store(k, at, ignored ? zeros : gradient(load(k, at), at));
  }
}

}  // namespace strata::gpu
