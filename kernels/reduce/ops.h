// What is reduced, for the GPU's rungs: one struct an operation and element type, as for the CPU
// (loops.h).
//
//   Lane   what a thread accumulates in, 32 terms at most (f32 for f32)
//   Total  what those partial sums, threads, blocks are combined in, by Merge (f64 for floats)
//   load(x, shift) -> Lane, step(Lane, Lane) -> Lane
//
// A minimum is the maximum of the negated (integers: complemented) elements, `all` is that no
// element is false: `flip` says so, and Finish turns the total back.
#pragma once

#include "kernels/reduce/block_reduce.h"
#include "kernels/reduce/reduce.h"
#include "kernels/reduce/row.h"

namespace strata::gpu {

using cpu::ReduceArgs;
using cpu::ReduceKind;

template <class T>
inline constexpr bool is_real = std::is_floating_point_v<Compute<T>>;

struct Multiply {
  template <class V>
  DEVICE V operator()(V a, V b) const {
    return a * b;
  }
};
// The larger; a NaN beats everything.
struct Greater {
  template <class V>
  DEVICE V operator()(V a, V b) const {
    return b > a || b != b ? b : a;
  }
};
struct Or {
  DEVICE int operator()(int a, int b) const { return a | b; }
};

// An operation whose Lane and Total start at `start` and grow by Merge.
template <class T, class LaneType, class TotalType, class MergeType, int start>
struct Accumulation {
  using Element = T;
  using Lane = LaneType;
  using Total = TotalType;
  using Merge = MergeType;
  using Shift = Lane;
  DEVICE Lane identity() const { return start; }
  DEVICE Lane step(Lane a, Lane b) const { return Merge{}(a, b); }
};

template <class T>
struct SumOp : Accumulation<T, std::conditional_t<is_real<T>, Compute<T>, int64_t>,
                            std::conditional_t<is_real<T>, double, int64_t>, Add, 0> {
  using Lane = typename SumOp::Lane;
  DEVICE Lane load(T x, Lane) const { return static_cast<Lane>(to_compute(x)); }
};
// A sum wanted in f64 is added in f64: the mean that a variance is taken about.
template <class T>
struct WideSumOp : Accumulation<T, double, double, Add, 0> {
  DEVICE double load(T x, double) const { return static_cast<double>(to_compute(x)); }
};
// Products keep f64: in f32 an intermediate one would overflow too soon.
template <class T>
struct ProductOp : Accumulation<T, std::conditional_t<is_real<T>, double, int64_t>,
                                std::conditional_t<is_real<T>, double, int64_t>, Multiply, 1> {
  using Lane = typename ProductOp::Lane;
  DEVICE Lane load(T x, Lane) const { return static_cast<Lane>(to_compute(x)); }
};
template <class T>
struct SquaredDeviationOp : Accumulation<T, double, double, Add, 0> {
  DEVICE double load(T x, double shift) const {
    const double d = static_cast<double>(to_compute(x)) - shift;
    return d * d;
  }
};
template <class T>
struct SquareOp : Accumulation<T, Compute<T>, double, Add, 0> {
  DEVICE Compute<T> load(T x, Compute<T>) const { return to_compute(x) * to_compute(x); }
};
template <class T>
struct ExponentialOp : Accumulation<T, Compute<T>, double, Add, 0> {
  DEVICE Compute<T> load(T x, Compute<T> shift) const {
    return exponential<T>(to_compute(x) - shift);
  }
};
template <class T>
struct ExtremeOp {
  using Element = T;
  using Lane = std::conditional_t<sizeof(T) == 1, int, Compute<T>>;
  using Total = Lane;
  using Merge = Greater;
  using Shift = Lane;
  bool flip;  // the smallest
  DEVICE Lane identity() const {
    if constexpr (is_real<T>)
      return -std::numeric_limits<Lane>::infinity();
    else
      return flip ? ~static_cast<Lane>(std::numeric_limits<T>::max())
                  : static_cast<Lane>(std::numeric_limits<T>::lowest());
  }
  DEVICE Lane load(T x, Lane) const {
    const Lane value = static_cast<Lane>(to_compute(x));
    if constexpr (is_real<T>)
      return flip ? -value : value;
    else
      return flip ? ~value : value;
  }
  DEVICE Lane step(Lane a, Lane b) const { return Greater{}(a, b); }
};
// Whether an element is true, or with `flip` whether one is false.
template <class T>
struct TruthOp : Accumulation<T, int, int, Or, 0> {
  bool flip;
  DEVICE int load(T x, int) const { return (to_compute(x) != Compute<T>(0)) != flip; }
};

// Turns totals into outputs.
struct Finish {
  void* out;
  DType dtype;
  double divisor;
  bool root, flip;

  template <class Total>
  DEVICE void write(int64_t at, Total total) const {
    switch (dtype) {
      case DType::f64:
        return put<double>(at, total);
      case DType::f32:
        return put<float>(at, total);
      case DType::bf16:
        return put<bf16>(at, total);
      case DType::f16:
        return put<f16>(at, total);
      case DType::i64:
        return put<int64_t>(at, total);
      case DType::i32:
        return put<int32_t>(at, total);
      case DType::u8:
        return put<uint8_t>(at, total);
      case DType::boolean:
        return put<bool>(at, total);
    }
  }

 private:
  template <class Out, class Total>
  DEVICE void put(int64_t at, Total total) const {
    Out* place = static_cast<Out*>(out) + at;
    if constexpr (std::is_same_v<Total, double>) {
      const double value = flip ? -total : total / divisor;
      *place = rounded<Out>(root ? ::sqrt(value) : value);
    } else if constexpr (std::is_same_v<Total, float>) {
      *place = rounded<Out>(flip ? -total : total);
    } else if constexpr (is_real<Out>) {
      *place = rounded<Out>(static_cast<double>(total) / divisor);
    } else if constexpr (std::is_same_v<Out, bool> && std::is_same_v<Total, int>) {
      *place = flip ? (total & 1) == 0 : total != 0;  // !truth, and ~element of a minimum
    } else {
      *place = static_cast<Out>(flip ? ~total : total);
    }
  }
  // Once, except that 16-bit floats go by way of f32, as everywhere.
  template <class Out, class Value>
  DEVICE static Out rounded(Value value) {
    if constexpr (is_real<Out>)
      return from_compute<Out>(static_cast<Compute<Out>>(value));
    else
      return static_cast<Out>(value);
  }
};

inline Finish finish_of(ReduceKind kind, const ReduceArgs& args) {
  Finish finish{args.out, args.dtype, args.divisor, false, false};
  const bool real = is_float(args.dtype);
  switch (kind) {
    case ReduceKind::sum:
    case ReduceKind::product:
      if (args.out_dtype == DType::f64 || (!real && args.out_dtype == DType::f32))
        finish.dtype = args.out_dtype;
      else if (!real)
        finish.dtype = DType::i64;
      break;
    case ReduceKind::root_sum_squares:
      finish.root = true;
      break;
    case ReduceKind::exponential_sum:
      finish.dtype = args.dtype == DType::f64 ? DType::f64 : DType::f32;
      break;
    case ReduceKind::squared_deviation:
      break;
    case ReduceKind::minimum:
      finish.flip = true;
      [[fallthrough]];
    case ReduceKind::maximum:
      finish.divisor = 1;
      break;
    case ReduceKind::all:
      finish.flip = true;
      [[fallthrough]];
    case ReduceKind::any:
      finish.dtype = DType::boolean;
      break;
  }
  return finish;
}

// Calls f(op) with the operation of the kind and type.
template <class F>
void visit_op(ReduceKind kind, const ReduceArgs& args, F&& f) {
  auto real = [&]<template <class> class Op>() {
    visit_float(args.dtype, [&]<class T>(Type<T>) { f(Op<T>{}); });
  };
  switch (kind) {
    case ReduceKind::sum:
      return visit(args.dtype, [&]<class T>(Type<T>) {
        if constexpr (is_real<T> && sizeof(T) < 8)
          if (args.out_dtype == DType::f64) return f(WideSumOp<T>{});
        f(SumOp<T>{});
      });
    case ReduceKind::product:
      return visit(args.dtype, [&]<class T>(Type<T>) { f(ProductOp<T>{}); });
    case ReduceKind::squared_deviation:
      return real.template operator()<SquaredDeviationOp>();
    case ReduceKind::root_sum_squares:
      return real.template operator()<SquareOp>();
    case ReduceKind::exponential_sum:
      return real.template operator()<ExponentialOp>();
    case ReduceKind::maximum:
    case ReduceKind::minimum:
      return visit(args.dtype,
                   [&]<class T>(Type<T>) { f(ExtremeOp<T>{kind == ReduceKind::minimum}); });
    case ReduceKind::any:
    case ReduceKind::all:
      return visit(args.dtype, [&]<class T>(Type<T>) {
        TruthOp<T> op;
        op.flip = kind == ReduceKind::all;
        f(op);
      });
  }
}

}  // namespace strata::gpu
