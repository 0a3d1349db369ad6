#include "kernels/reduce/plan.h"

#include <algorithm>
#include <cstdlib>
#include <limits>

namespace strata::cpu {
namespace {

int64_t distance(const Loop& loop) {  // broadcast axes are put outermost
  return loop.stride == 0 ? std::numeric_limits<int64_t>::max() : std::abs(loop.stride);
}

int sort_and_merge(Loop* loops, int count) {
  std::stable_sort(loops, loops + count,
                   [](const Loop& a, const Loop& b) { return distance(a) > distance(b); });
  int last = 0;
  for (int i = 1; i < count; ++i) {
    Loop &outer = loops[last], &inner = loops[i];
    if (outer.stride == inner.stride * inner.size &&
        outer.out_stride == inner.out_stride * inner.size) {
      outer = {outer.size * inner.size, inner.stride, inner.out_stride};
    } else {
      loops[++last] = inner;
    }
  }
  return std::min(last + 1, count);
}

bool prefers_columns(const ReducePlan& plan) {
  if (plan.kept_count == 0) return false;
  if (plan.reduced_count == 0) return true;
  const Loop& kept = plan.kept[plan.kept_count - 1];
  const Loop& reduced = plan.reduced[plan.reduced_count - 1];
  if (distance(kept) < distance(reduced)) return true;
  return reduced.size < 16 && kept.size > reduced.size;  // runs too short to be worth starting
}

// Cuts the work. Only sizes decide, so the order of additions is the same for every thread count.
void cut(ReducePlan& plan) {
  constexpr int64_t pieces = 64, smallest_piece = 32768, rows_of_a_block = 32;
  plan.columns = prefers_columns(plan);
  if (plan.columns) {
    const Loop& inner = plan.kept[plan.kept_count - 1];
    plan.width = std::min(inner.size, max_reduce_width);
    plan.tiles = (inner.size + plan.width - 1) / plan.width;
    plan.groups = plan.outputs / inner.size * plan.tiles;
    bool rows_touch = plan.reduced_count == 1 && inner.stride == 1 &&
                      plan.reduced[0].stride == inner.size && inner.size <= max_reduce_width / 8;
    if (rows_touch) plan.widen = std::min(max_reduce_width / 4 / inner.size, plan.length);
  } else {
    plan.groups = plan.outputs;
  }
  int64_t wanted = std::max<int64_t>(1, pieces / std::max<int64_t>(plan.groups, 1));
  plan.chunk = std::max(smallest_piece / plan.width, (plan.length + wanted - 1) / wanted);
  int64_t unit = rows_of_a_block * plan.widen;
  plan.chunk = std::max<int64_t>(1, (plan.chunk + unit - 1) / unit * unit);
  plan.chunks = std::max<int64_t>(1, (plan.length + plan.chunk - 1) / plan.chunk);
}

}  // namespace

ReducePlan make_reduce_plan(const ReduceArgs& args) {
  ReducePlan plan;
  int64_t out_stride = 1;
  for (int i = args.rank - 1; i >= 0; --i) {
    bool goes = args.reduced >> i & 1;
    int64_t size = args.shape[i], stride = args.strides[i];
    (goes ? plan.length : plan.outputs) *= size;
    if (size != 1 && goes) {
      if (stride < 0) {  // the order of terms is free
        plan.first += (size - 1) * stride;
        stride = -stride;
      }
      plan.reduced[plan.reduced_count++] = {size, stride, 0};
    } else if (size != 1) {
      plan.kept[plan.kept_count++] = {size, stride, out_stride};
    }
    if (!goes) out_stride *= size;
  }
  if (plan.outputs == 0 || plan.length == 0) return plan;
  std::reverse(plan.kept, plan.kept + plan.kept_count);
  std::reverse(plan.reduced, plan.reduced + plan.reduced_count);
  plan.kept_count = sort_and_merge(plan.kept, plan.kept_count);
  plan.reduced_count = sort_and_merge(plan.reduced, plan.reduced_count);
  cut(plan);
  return plan;
}

Lines make_lines(int rank, const int64_t* shape, const int64_t* strides, const int64_t* out_strides,
                 int axis) {
  Lines lines;
  for (int i = 0; i < rank; ++i) {
    if (i == axis) continue;
    lines.count *= shape[i];
    if (shape[i] != 1) lines.loops[lines.loop_count++] = {shape[i], strides[i], out_strides[i]};
  }
  if (lines.count > 0) lines.loop_count = sort_and_merge(lines.loops, lines.loop_count);
  if (rank > 0) {
    lines.size = shape[axis];
    lines.stride = strides[axis];
    lines.out_stride = out_strides[axis];
  }
  return lines;
}

}  // namespace strata::cpu
