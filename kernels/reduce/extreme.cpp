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

// Each line along the axis on its own; lines in order of memory.
template <class T, bool largest>
void arg_lines(const ReducePlan& plan, const T* x, int64_t size, int64_t stride, int64_t* out) {
  using Op = Extreme<T, largest>;
  using Value = Compute<T>;
  int64_t grain = std::max<int64_t>(1, 32768 / size);
  parallel_for(plan.outputs, grain, [&](int64_t begin, int64_t end) {
    for (int64_t line = begin; line < end; ++line) {
      Offsets at = offsets_at(plan.kept, plan.kept_count, line);
      const T* from = x + at.x;
      Value best = static_cast<Value>(from[0]);
      int64_t index = 0;
      for (int64_t i = 1; i < size && best == best; ++i) {
        Value next = Op::step(best, static_cast<Value>(from[i * stride]));
        if (!(next == best)) {
          best = next;
          index = i;
        }
      }
      out[at.out] = index;
    }
  });
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
  ReduceArgs along = args;
  along.reduced = 1u << axis;
  ReducePlan plan = make_reduce_plan(along);
  int64_t size = args.shape[axis], stride = args.strides[axis];
  visit(args.dtype, [&]<class T>(Type<T>) {
    const T* x = static_cast<const T*>(args.x);
    int64_t* out = static_cast<int64_t*>(args.out);
    largest ? arg_lines<T, true>(plan, x, size, stride, out)
            : arg_lines<T, false>(plan, x, size, stride, out);
  });
}

}  // namespace strata::cpu
