// Largest and smallest elements, their indices, and any / all.
#include <limits>

#include "kernels/reduce/kinds.h"
#include "kernels/reduce/loops.h"

namespace strata::cpu {
namespace {

template <class T, bool largest>
struct Extreme {
  static constexpr bool shifted = false;
  using Lane = Compute<T>;
  using Total = Lane;
  static Lane identity() {
    if constexpr (std::is_floating_point_v<Lane>) {
      constexpr Lane infinity = std::numeric_limits<Lane>::infinity();
      return largest ? -infinity : infinity;
    } else {
      return largest ? std::numeric_limits<Lane>::lowest() : std::numeric_limits<Lane>::max();
    }
  }
  static Lane load(T value, Lane) { return static_cast<Lane>(value); }
  // b when it beats a or is NaN; nothing beats a NaN.
  static Lane step(Lane a, Lane b) {
    bool better = largest ? b > a : b < a;
    if constexpr (std::is_floating_point_v<Lane>) better = better | (b != b);
    return better ? b : a;
  }
  static Total merge(Total a, Total b) { return step(a, b); }
};

template <class T, bool any>
struct Truth {
  static constexpr bool shifted = false;
  using Lane = uint8_t;
  using Total = uint8_t;
  static Lane identity() { return any ? 0 : 1; }
  static Lane load(T value, Lane) { return static_cast<Compute<T>>(value) != Compute<T>{0}; }
  static Lane step(Lane a, Lane b) { return any ? a | b : a & b; }
  static Total merge(Total a, Total b) { return step(a, b); }
};

template <class T, bool largest>
void extreme(const ReducePlan& plan, const ReduceArgs& args) {
  Reducer<Extreme<T, largest>, T>::run(plan, static_cast<const T*>(args.x),
                                       static_cast<T*>(args.out), nullptr, {});
}

template <class T, bool any>
void truth(const ReducePlan& plan, const ReduceArgs& args) {
  Reducer<Truth<T, any>, T>::run(plan, static_cast<const T*>(args.x), static_cast<bool*>(args.out),
                                 nullptr, {});
}

template <class T, bool largest>
int64_t find_extreme(const T* x, int64_t size, int64_t stride) {
  using Value = Compute<T>;
  Value best = static_cast<Value>(x[0]);
  int64_t index = 0;
  for (int64_t i = 1; i < size && best == best; ++i) {
    Value next = Extreme<T, largest>::step(best, static_cast<Value>(x[i * stride]));
    if (!(next == best)) {
      best = next;
      index = i;
    }
  }
  return index;
}

}  // namespace

void reduce_extreme(bool largest, const ReduceArgs& args) {
  ReducePlan plan = make_reduce_plan(args);
  visit(args.dtype, [&]<class T>(Type<T>) {
    largest ? extreme<T, true>(plan, args) : extreme<T, false>(plan, args);
  });
}

void reduce_truth(bool any, const ReduceArgs& args) {
  ReducePlan plan = make_reduce_plan(args);
  visit(args.dtype,
        [&]<class T>(Type<T>) { any ? truth<T, true>(plan, args) : truth<T, false>(plan, args); });
}

void arg_extreme(bool largest, int axis, const ReduceArgs& args) {
  int64_t out_strides[max_reduce_rank] = {};
  for (int64_t i = args.rank - 1, step = 1; i >= 0; --i) {
    out_strides[i] = i == axis ? 0 : step;
    if (i != axis) step *= args.shape[i];
  }
  Lines lines = make_lines(args.rank, args.shape, args.strides, out_strides, axis);
  visit(args.dtype, [&]<class T>(Type<T>) {
    const T* x = static_cast<const T*>(args.x);
    int64_t* out = static_cast<int64_t*>(args.out);
    int64_t grain = std::max<int64_t>(1, 32768 / std::max<int64_t>(lines.size, 1));
    parallel_for(lines.count, grain, [&](int64_t begin, int64_t end) {
      for (int64_t line = begin; line < end; ++line) {
        Offsets at = offsets_at(lines.loops, lines.loop_count, line);
        out[at.out] = largest ? find_extreme<T, true>(x + at.x, lines.size, lines.stride)
                              : find_extreme<T, false>(x + at.x, lines.size, lines.stride);
      }
    });
  });
}

}  // namespace strata::cpu
