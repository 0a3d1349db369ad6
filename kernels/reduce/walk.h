// How a kernel walks the input of a reduction: the CPU's plan (plan.h: axes sorted by nearness in
// memory, neighbours merged) with the work cut for a GPU. The terms of an output are cut into
// `parts`, each the work of a warp, a block or a column of threads; where there is more than one,
// parts leave totals in scratch memory, which combine_parts() merges in order.
#pragma once

#include "kernels/gpu/scratch.h"
#include "kernels/reduce/ops.h"
#include "kernels/reduce/plan.h"

namespace strata::gpu {

struct Walk {
  cpu::Loop kept[cpu::max_reduce_rank], reduced[cpu::max_reduce_rank];
  int kept_count, reduced_count;
  int64_t first, outputs, length;
  int64_t parts, part;  // how many, of how many terms
  bool columns;         // an axis that stays is nearest in memory
  bool contiguous;      // the terms of an output lie side by side
};
inline Walk make_walk(const ReduceArgs& args) {
  const cpu::ReducePlan plan = cpu::make_reduce_plan(args);
  Walk walk{};
  walk.first = plan.first;
  walk.outputs = plan.outputs;
  walk.length = plan.length;
  walk.parts = 1;
  walk.part = plan.length;
  if (plan.length == 0) {  // identities, in order
    walk.kept[0] = {plan.outputs, 0, 1};
    walk.kept_count = 1;
    return walk;
  }
  for (int i = 0; i < plan.kept_count; ++i) walk.kept[i] = plan.kept[i];
  for (int i = 0; i < plan.reduced_count; ++i) walk.reduced[i] = plan.reduced[i];
  walk.kept_count = plan.kept_count;
  walk.reduced_count = plan.reduced_count;
  walk.columns = plan.columns;
  walk.contiguous =
      plan.reduced_count == 0 || (plan.reduced_count == 1 && plan.reduced[0].stride == 1);
  return walk;
}
// Cuts so that about `units` parts exist in all, none of fewer than `least` terms.
inline void cut(Walk& walk, int64_t units, int64_t least) {
  int64_t parts = walk.outputs > 0 ? units / walk.outputs : 1;
  const int64_t most = (walk.length + least - 1) / least;
  if (parts > most) parts = most;
  if (parts < 1) parts = 1;
  const int64_t needed = walk.length >> 30;  // terms of a part are counted by int
  if (parts <= needed) parts = needed + 1;
  walk.part = (walk.length + parts - 1) / parts;
  walk.parts = walk.part > 0 ? (walk.length + walk.part - 1) / walk.part : 1;
}

// The lines of x along an axis, beside those of a row-major result in x's shape.
inline cpu::Lines lines_along(int axis, const ReduceArgs& args) {
  int64_t out_strides[cpu::max_reduce_rank] = {};
  for (int64_t i = args.rank - 1, step = 1; i >= 0; step *= args.shape[i--]) out_strides[i] = step;
  return cpu::make_lines(args.rank, args.shape, args.strides, out_strides, axis);
}
// How lines along an axis are cut: about `units` parts in all, none of fewer than `least` elements
// nor of 2^30, each a multiple of `multiple`.
struct Parts {
  int64_t count, size;
};
inline Parts cut_lines(const cpu::Lines& lines, int64_t groups, int64_t units, int64_t least,
                       int64_t multiple) {
  const int64_t most = (lines.size + least - 1) / least, wanted = units / groups;
  int64_t count = wanted < most ? wanted : most;
  if (count < 1) count = 1;
  if (count <= lines.size >> 29) count = (lines.size >> 29) + 1;
  const int64_t size = ((lines.size + count - 1) / count + multiple - 1) / multiple * multiple;
  return {(lines.size + size - 1) / size, size};
}

struct Offsets {
  int64_t x, out;
};
DEVICE Offsets walk_offsets(const cpu::Loop* loops, int count, int64_t index) {
  Offsets at{0, 0};
  for (int l = count - 1; l >= 0; --l) {
    const int64_t i = l > 0 ? index % loops[l].size : index;
    if (l > 0) index /= loops[l].size;
    at.x += i * loops[l].stride;
    at.out += i * loops[l].out_stride;
  }
  return at;
}

// Whether neighbouring lines are nearer in memory than neighbouring elements of a line.
inline bool lines_are_columns(const cpu::Lines& lines) {
  if (lines.loop_count == 0 || lines.size == 1) return lines.loop_count > 0;
  const int64_t line = lines.loops[lines.loop_count - 1].stride;
  return line != 0 && (line < 0 ? -line : line) < (lines.stride < 0 ? -lines.stride : lines.stride);
}

// A total that grows by blocks of 32 terms of type Lane: rounding in f32 stays small.
template <class Op>
struct Blocks {
  using Lane = typename Op::Lane;
  using Total = typename Op::Total;
  Lane lane;
  Total total;
  int terms;

  DEVICE explicit Blocks(const Op& op)
      : lane(op.identity()), total(static_cast<Total>(op.identity())), terms(0) {}
  DEVICE void add(const Op& op, Lane value) {
    lane = op.step(lane, value);
    if (++terms < 32) return;
    flush(op);
  }
  DEVICE void flush(const Op& op) {
    total = typename Op::Merge{}(total, static_cast<Total>(lane));
    lane = op.identity();
    terms = 0;
  }
};

// A total, or none yet: threads without a part.
template <class Total>
struct Maybe {
  Total value;
  int64_t present;
};
template <class Merge>
struct MergeMaybe {
  template <class Total>
  DEVICE Maybe<Total> operator()(const Maybe<Total>& a, const Maybe<Total>& b) const {
    if (!a.present) return b;
    if (!b.present) return a;
    return {Merge{}(a.value, b.value), 1};
  }
};
// Stage 2: a block an output merges its parts in order.
template <class Total, class Merge>
__global__ void __launch_bounds__(128, 1)
    combine_parts_kernel(Walk walk, const Total* partial, Finish finish) {
  using Group = BlockGroup<128>;
  for (int64_t output = Group::index(); output < walk.outputs; output += Group::count()) {
    Maybe<Total> total{};
    for (int64_t part = Group::rank(); part < walk.parts; part += Group::threads())
      total = MergeMaybe<Merge>{}(total, Maybe<Total>{partial[output * walk.parts + part], 1});
    total = Group::combine(total, MergeMaybe<Merge>{});
    if (Group::rank() == 0)
      finish.write(walk_offsets(walk.kept, walk.kept_count, output).out, total.value);
  }
}
template <class Op>
void combine_parts(const Walk& walk, const typename Op::Total* partial, const Finish& finish) {
  launch<combine_parts_kernel<typename Op::Total, typename Op::Merge>>(
      {.grid = row_blocks(walk.outputs, 1, 128), .block = 128}, walk, partial, finish);
}

}  // namespace strata::gpu
