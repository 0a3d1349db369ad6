// Running sums and products along an axis. Lines side by side in memory go together, 64 of them, so
// that a scan along an outer axis reads whole cache lines; others go one by one.
#include <vector>

#include "kernels/common/parallel.h"
#include "kernels/reduce/plan.h"

namespace strata::cpu {
namespace {

Lines scan_lines(int axis, const ReduceArgs& args) {
  int64_t out_strides[max_reduce_rank] = {};
  for (int64_t i = args.rank - 1, step = 1; i >= 0; step *= args.shape[i--]) out_strides[i] = step;
  return make_lines(args.rank, args.shape, args.strides, out_strides, axis);
}

constexpr int64_t tile = 64;

template <class T, class Sum, class Out>
void sum_lines(const Lines& lines, const T* x, Out* out) {
  // The innermost loop over lines is cut into tiles.
  const Loop one = {1, 0, 0};
  const Loop& inner = lines.loop_count > 0 ? lines.loops[lines.loop_count - 1] : one;
  int64_t tiles = (inner.size + tile - 1) / tile, outer = lines.count / inner.size;
  int64_t work = std::min(tile, inner.size) * lines.size;
  int64_t grain = std::max<int64_t>(1, 32768 / work);
  parallel_for(outer * tiles, grain, [&](int64_t begin, int64_t end) {
    for (int64_t unit = begin; unit < end; ++unit) {
      Offsets at = offsets_at(lines.loops, std::max(lines.loop_count - 1, 0), unit / tiles);
      int64_t first = unit % tiles * tile, width = std::min(tile, inner.size - first);
      const T* from = x + at.x + first * inner.stride;
      Out* to = out + at.out + first * inner.out_stride;
      Sum sums[tile] = {};
      for (int64_t i = 0; i < lines.size; ++i) {
        for (int64_t c = 0; c < width; ++c) {
          sums[c] += static_cast<Sum>(static_cast<Compute<T>>(from[c * inner.stride]));
          to[c * inner.out_stride] = static_cast<Out>(static_cast<Compute<Out>>(sums[c]));
        }
        from += lines.stride;
        to += lines.out_stride;
      }
    }
  });
}

}  // namespace

void cumulative_sum(int axis, bool reverse, const ReduceArgs& args) {
  Lines lines = scan_lines(axis, args);
  if (lines.count == 0 || lines.size == 0) return;
  int64_t start = reverse ? (lines.size - 1) * lines.stride : 0;
  int64_t out_start = reverse ? (lines.size - 1) * lines.out_stride : 0;
  if (reverse) {
    lines.stride = -lines.stride;
    lines.out_stride = -lines.out_stride;
  }
  visit(args.dtype, [&]<class T>(Type<T>) {
    const T* x = static_cast<const T*>(args.x) + start;
    if constexpr (std::is_floating_point_v<Compute<T>>) {
      sum_lines<T, double>(lines, x, static_cast<T*>(args.out) + out_start);
    } else {
      sum_lines<T, int64_t>(lines, x, static_cast<int64_t*>(args.out) + out_start);
    }
  });
}

void product_of_others(int axis, const ReduceArgs& args) {
  Lines lines = scan_lines(axis, args);
  if (lines.size == 0) return;
  int64_t grain = std::max<int64_t>(1, 32768 / lines.size);
  visit_float(args.dtype, [&]<class T>(Type<T>) {
    const T* x = static_cast<const T*>(args.x);
    T* out = static_cast<T*>(args.out);
    parallel_for(lines.count, grain, [&](int64_t begin, int64_t end) {
      std::vector<double> before(lines.size);
      for (int64_t line = begin; line < end; ++line) {
        Offsets at = offsets_at(lines.loops, lines.loop_count, line);
        double product = 1;
        for (int64_t i = 0; i < lines.size; ++i) {
          before[i] = product;
          product *= static_cast<Compute<T>>(x[at.x + i * lines.stride]);
        }
        product = 1;
        for (int64_t i = lines.size - 1; i >= 0; --i) {
          out[at.out + i * lines.out_stride] =
              static_cast<T>(static_cast<Compute<T>>(before[i] * product));
          product *= static_cast<Compute<T>>(x[at.x + i * lines.stride]);
        }
      }
    });
  });
}

}  // namespace strata::cpu
