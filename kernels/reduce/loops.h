// The loops of a reduction, for one operation `Op` on elements of type T:
//
//   Lane   what a block accumulates in (f32 for f32): Op::load(x, shift) -> Lane, Op::step
//   Total  what blocks are combined in (f64 for floats): Op::merge
//
// A block is 32 terms deep, so that rounding in f32 stays small; then it goes into its total.
// The inner loops run over independent sums side by side, so compilers vectorise them without
// reordering additions.
#pragma once

#include <algorithm>
#include <cmath>
#include <memory>

#include "kernels/common/parallel.h"
#include "kernels/reduce/plan.h"

namespace strata::cpu {

inline constexpr int64_t block_rows = 32;

// Turns a total into an output.
struct Finish {
  double divisor = 1;
  bool root = false;
  template <class Out, class Total>
  Out convert(Total total) const {
    if constexpr (std::is_same_v<Total, double>) {
      double value = total / divisor;
      if (root) value = std::sqrt(value);
      if constexpr (std::is_same_v<Compute<Out>, float> && !std::is_same_v<Out, float>) {
        return Out(static_cast<float>(value));
      } else {
        return static_cast<Out>(value);
      }
    } else if constexpr (std::is_same_v<Total, int64_t> && std::is_floating_point_v<Out>) {
      return static_cast<Out>(static_cast<double>(total) / divisor);
    } else {
      return static_cast<Out>(total);
    }
  }
};

// Steps through the rows of a column reduction: the flat index over the reduced loops.
class RowCursor {
 public:
  RowCursor(const Loop* loops, int count, int64_t start) : loops_(loops), count_(count) {
    for (int l = count - 1; l >= 0; --l) {
      index_[l] = start % loops[l].size;
      start /= loops[l].size;
      offset_ += index_[l] * loops[l].stride;
    }
  }
  int64_t offset() const { return offset_; }
  void advance() {
    for (int l = count_ - 1; l >= 0; --l) {
      offset_ += loops_[l].stride;
      if (++index_[l] < loops_[l].size) return;
      offset_ -= loops_[l].stride * loops_[l].size;
      index_[l] = 0;
    }
  }

 private:
  const Loop* loops_;
  int count_;
  int64_t index_[max_reduce_rank];
  int64_t offset_ = 0;
};

template <class Op, class T>
class Reducer {
  using Lane = typename Op::Lane;
  using Total = typename Op::Total;

 public:
  template <class Out>
  static void run(const ReducePlan& plan, const T* x, Out* out, const Lane* shift, Finish finish) {
    if (plan.outputs == 0) return;
    if (plan.length == 0) {
      std::fill_n(out, plan.outputs, finish.convert<Out>(static_cast<Total>(Op::identity())));
      return;
    }
    x += plan.first;
    int64_t units = plan.groups * plan.chunks;
    int64_t unit_work = plan.width * std::min(plan.chunk, plan.length);
    int64_t grain = std::max<int64_t>(1, 32768 / std::max<int64_t>(unit_work, 1));
    auto partial =
        plan.chunks > 1 ? std::make_unique_for_overwrite<Total[]>(units * plan.width) : nullptr;
    parallel_for(units, grain, [&](int64_t begin, int64_t end) {
      Total totals[max_reduce_width];
      for (int64_t unit = begin; unit < end; ++unit) {
        int64_t group = unit / plan.chunks, chunk = unit % plan.chunks;
        Total* target = plan.chunks > 1 ? &partial[unit * plan.width] : totals;
        int64_t width = reduce_unit(plan, x, shift, group, chunk, target);
        if (plan.chunks == 1) write(plan, group, width, target, out, finish);
      }
    });
    if (plan.chunks > 1) combine(plan, partial.get(), out, finish);
  }

 private:
  static Offsets place(const ReducePlan& plan, int64_t group) {
    if (!plan.columns) return offsets_at(plan.kept, plan.kept_count, group);
    Offsets at = offsets_at(plan.kept, plan.kept_count - 1, group / plan.tiles);
    const Loop& inner = plan.kept[plan.kept_count - 1];
    int64_t column = group % plan.tiles * plan.width;
    return {at.x + column * inner.stride, at.out + column * inner.out_stride};
  }
  static int64_t width_of(const ReducePlan& plan, int64_t group) {
    if (!plan.columns) return 1;
    return std::min(plan.width,
                    plan.kept[plan.kept_count - 1].size - group % plan.tiles * plan.width);
  }

  // One chunk of the terms of one group into totals[0, width).
  static int64_t reduce_unit(const ReducePlan& plan, const T* x, const Lane* shift, int64_t group,
                             int64_t chunk, Total* totals) {
    Offsets at = place(plan, group);
    int64_t width = width_of(plan, group);
    int64_t begin = chunk * plan.chunk, end = std::min(plan.length, begin + plan.chunk);
    if (plan.columns) {
      reduce_columns(plan, x + at.x, shift ? shift + at.out : nullptr, begin, end, width, totals);
    } else {
      totals[0] = reduce_rows(plan, x + at.x, shift ? shift[at.out] : Lane{}, begin, end);
    }
    return width;
  }

  template <class Out>
  static void write(const ReducePlan& plan, int64_t group, int64_t width, const Total* totals,
                    Out* out, Finish finish) {
    out += place(plan, group).out;
    int64_t step = plan.columns ? plan.kept[plan.kept_count - 1].out_stride : 1;
    if (step == 1) {
      for (int64_t c = 0; c < width; ++c) out[c] = finish.convert<Out>(totals[c]);
    } else {
      for (int64_t c = 0; c < width; ++c) out[c * step] = finish.convert<Out>(totals[c]);
    }
  }

  template <class Out>
  static void combine(const ReducePlan& plan, Total* partial, Out* out, Finish finish) {
    for (int64_t group = 0; group < plan.groups; ++group) {
      int64_t width = width_of(plan, group);
      Total* totals = &partial[group * plan.chunks * plan.width];
      for (int64_t chunk = 1; chunk < plan.chunks; ++chunk) {
        const Total* more = totals + chunk * plan.width;
        for (int64_t c = 0; c < width; ++c) totals[c] = Op::merge(totals[c], more[c]);
      }
      write(plan, group, width, totals, out, finish);
    }
  }

  // --- columns -------------------------------------------------------------------------------

  static void reduce_columns(const ReducePlan& plan, const T* x, const Lane* shift, int64_t begin,
                             int64_t end, int64_t width, Total* totals) {
    const Loop& inner = plan.kept[plan.kept_count - 1];
    alignas(64) Lane shifts[max_reduce_width];
    int64_t wide = width * plan.widen;
    if constexpr (Op::shifted) {
      for (int64_t c = 0; c < wide; ++c) {
        shifts[c] = shift ? shift[c % width * inner.out_stride] : Lane{};
      }
    }
    if (plan.widen == 1) {
      std::fill_n(totals, width, static_cast<Total>(Op::identity()));
      RowCursor cursor(plan.reduced, plan.reduced_count, begin);
      add_rows(x, cursor, end - begin, width, inner.stride, shifts, totals);
      return;
    }
    // `widen` rows at a time, then the copies of each column into one, then the rows left over.
    int64_t rows = (end - begin) / plan.widen;
    Total wide_totals[max_reduce_width];
    std::fill_n(wide_totals, wide, static_cast<Total>(Op::identity()));
    const Loop together = {rows, plan.reduced[0].stride * plan.widen, 0};
    RowCursor cursor(&together, rows > 0, 0);
    add_rows(x + begin * width, cursor, rows, wide, 1, shifts, wide_totals);
    std::copy_n(wide_totals, width, totals);
    for (int64_t k = 1; k < plan.widen; ++k) {
      for (int64_t c = 0; c < width; ++c) {
        totals[c] = Op::merge(totals[c], wide_totals[k * width + c]);
      }
    }
    int64_t done = begin + rows * plan.widen;
    RowCursor rest(plan.reduced, plan.reduced_count, done);
    add_rows(x, rest, end - done, width, 1, shifts, totals);
  }

  static void add_rows(const T* x, RowCursor& cursor, int64_t rows, int64_t width, int64_t step,
                       const Lane* shifts, Total* totals) {
    alignas(64) Lane block[max_reduce_width];
    for (int64_t row = 0; row < rows; row += block_rows) {
      std::fill_n(block, width, Op::identity());
      int64_t stop = std::min(rows, row + block_rows);
      for (int64_t r = row; r < stop; ++r, cursor.advance()) {
        const T* line = x + cursor.offset();
        if (step == 1) {
          add_line<1>(line, width, 1, shifts, block);
        } else {
          add_line<0>(line, width, step, shifts, block);
        }
      }
      for (int64_t c = 0; c < width; ++c) {
        totals[c] = Op::merge(totals[c], static_cast<Total>(block[c]));
      }
    }
  }
  template <int fixed_step>
  static void add_line(const T* line, int64_t width, int64_t step, const Lane* shifts,
                       Lane* block) {
    for (int64_t c = 0; c < width; ++c) {
      const T value = line[c * (fixed_step ? fixed_step : step)];
      block[c] = Op::step(block[c], Op::load(value, Op::shifted ? shifts[c] : Lane{}));
    }
  }

  // --- rows ----------------------------------------------------------------------------------

  static Total reduce_rows(const ReducePlan& plan, const T* x, Lane shift, int64_t begin,
                           int64_t end) {
    Total total = static_cast<Total>(Op::identity());
    if (plan.reduced_count == 0) return static_cast<Total>(Op::load(*x, shift));
    const Loop& inner = plan.reduced[plan.reduced_count - 1];
    while (begin < end) {
      int64_t within = begin % inner.size, run = std::min(inner.size - within, end - begin);
      const T* from = x + offsets_at(plan.reduced, plan.reduced_count, begin).x;
      total = Op::merge(total, reduce_run(from, run, inner.stride, shift));
      begin += run;
    }
    return total;
  }

  static Total reduce_run(const T* x, int64_t n, int64_t step, Lane shift) {
    Total total = static_cast<Total>(Op::identity());
    if (step != 1) {
      for (; n >= 8 * block_rows; n -= 8 * block_rows, x += 8 * block_rows * step) {
        total = Op::merge(total, static_cast<Total>(block<8>(x, block_rows, step, shift)));
      }
    } else {
      constexpr int64_t lanes = 64;
      for (; n >= lanes;) {
        int64_t rows = std::min(n / lanes, block_rows);
        total = Op::merge(total, static_cast<Total>(block<lanes>(x, rows, 1, shift)));
        n -= rows * lanes;
        x += rows * lanes;
      }
    }
    if (n >= 8) {
      int64_t rows = n / 8;
      total = Op::merge(total, static_cast<Total>(step == 1 ? block<8>(x, rows, 1, shift)
                                                            : block<8>(x, rows, step, shift)));
      n -= rows * 8;
      x += rows * 8 * step;
    }
    Lane rest = Op::identity();
    for (int64_t i = 0; i < n; ++i) rest = Op::step(rest, Op::load(x[i * step], shift));
    return Op::merge(total, static_cast<Total>(rest));
  }

  // rows x lanes elements as `lanes` interleaved sums, then those in a tree.
  template <int lanes>
  static Lane block(const T* x, int64_t rows, int64_t step, Lane shift) {
    alignas(64) Lane sums[lanes];
    for (int l = 0; l < lanes; ++l) sums[l] = Op::load(x[l * step], shift);
    for (int64_t r = 1; r < rows; ++r) {
      const T* line = x + r * lanes * step;
      for (int l = 0; l < lanes; ++l) sums[l] = Op::step(sums[l], Op::load(line[l * step], shift));
    }
    for (int half = lanes / 2; half > 0; half /= 2) {
      for (int l = 0; l < half; ++l) sums[l] = Op::step(sums[l], sums[l + half]);
    }
    return sums[0];
  }
};

}  // namespace strata::cpu
