// One walk serves gather, scatter and scatter_add: over lines that cross the axis, tile by tile.
// Where the axis is the innermost in memory a line is walked at a time; otherwise the neighbours of
// a tile go together, as rows.
#include "kernels/index/index.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "kernels/common/parallel.h"

namespace strata::cpu {
namespace {

struct IndexLoop {
  int64_t size, target, source, index;  // strides
};

struct Walk {
  IndexLoop loops[max_index_rank];  // the axes other than `axis`, merged, nearest innermost
  int count = 0;
  IndexLoop along = {1, 0, 0, 0};  // the axis: `target` is the stride that an index multiplies
  IndexLoop inner = {1, 0, 0, 0};  // the last of `loops`, taken off
  int64_t outer = 1;
  bool axis_innermost = false;
  bool empty = false;
};

Walk make_walk(const IndexArgs& args) {
  Walk walk;
  for (int i = 0; i < args.rank; ++i) {
    IndexLoop loop = {args.shape[i], args.target_strides[i], args.source_strides[i],
                      args.index_strides[i]};
    if (loop.size == 0) walk.empty = true;
    if (i == args.axis) {
      walk.along = loop;
    } else if (loop.size != 1) {
      walk.loops[walk.count++] = loop;
    }
  }
  std::stable_sort(walk.loops, walk.loops + walk.count, [](const auto& a, const auto& b) {
    return std::abs(a.source) > std::abs(b.source);
  });
  int last = 0;
  for (int i = 1; i < walk.count; ++i) {
    IndexLoop &a = walk.loops[last], &b = walk.loops[i];
    if (a.target == b.target * b.size && a.source == b.source * b.size &&
        a.index == b.index * b.size) {
      a = {a.size * b.size, b.target, b.source, b.index};
    } else {
      walk.loops[++last] = b;
    }
  }
  walk.count = std::min(walk.count, last + 1);
  if (walk.count > 0) walk.inner = walk.loops[--walk.count];
  for (int i = 0; i < walk.count; ++i) walk.outer *= walk.loops[i].size;
  walk.axis_innermost =
      walk.along.size > 1 && std::abs(walk.along.source) < std::abs(walk.inner.source);
  return walk;
}

struct Gather {
  static constexpr bool reads_target = true;
  template <class T>
  static void apply(T& target, T& source) {
    source = target;
  }
};
struct Write {
  static constexpr bool reads_target = false;
  template <class T>
  static void apply(T& target, T& source) {
    target = source;
  }
};
struct Add {
  static constexpr bool reads_target = false;
  template <class T>
  static void apply(T& target, T& source) {
    target = static_cast<T>(target + source);
  }
};

// A part of the walk: positions [begin, end) along the axis, neighbours [first, first + width) of
// the inner loop, and only indices in [low, high).
struct Part {
  int64_t begin, end, first, width, low, high;
};

template <class Op, class T>
void apply_row(T* target, int64_t target_step, T* source, int64_t source_step, int64_t width) {
  if (target_step == 1 && source_step == 1) {
    for (int64_t k = 0; k < width; ++k) Op::apply(target[k], source[k]);
  } else {
    for (int64_t k = 0; k < width; ++k) Op::apply(target[k * target_step], source[k * source_step]);
  }
}

template <class Op, class T, class Index>
void walk_rows(const Walk& walk, T* target, T* source, const Index* index, const Part& part) {
  const IndexLoop &along = walk.along, &inner = walk.inner;
  for (int64_t a = part.begin; a < part.end; ++a) {
    const Index* at = index + a * along.index + part.first * inner.index;
    T* to = target + part.first * inner.target;
    T* from = source + a * along.source + part.first * inner.source;
    if (inner.index == 0) {
      if (*at < part.low || *at >= part.high) continue;
      apply_row<Op>(to + *at * along.target, inner.target, from, inner.source, part.width);
      continue;
    }
    for (int64_t k = 0; k < part.width; ++k) {
      int64_t i = at[k * inner.index];
      if (i < part.low || i >= part.high) continue;
      Op::apply(to[k * inner.target + i * along.target], from[k * inner.source]);
    }
  }
}

template <class Op, class T, class Index>
void walk_lines(const Walk& walk, T* target, T* source, const Index* index, const Part& part) {
  const IndexLoop &along = walk.along, &inner = walk.inner;
  for (int64_t k = part.first; k < part.first + part.width; ++k) {
    T* to = target + k * inner.target;
    for (int64_t a = part.begin; a < part.end; ++a) {
      int64_t i = index[k * inner.index + a * along.index];
      if (i < part.low || i >= part.high) continue;
      Op::apply(to[i * along.target], source[k * inner.source + a * along.source]);
    }
  }
}

// How the walk is cut. Gathering may cut along the axis; writing cuts only across it, or, where
// there is nothing across, gives each thread a range of the target.
struct Cut {
  int64_t pieces, tiles, ranges;
  int64_t piece, tile, range;
};

Cut make_cut(const Walk& walk, bool reads_target, int64_t target_size) {
  constexpr int64_t enough = 32768, line = 16;  // elements worth a thread, and of a cache line
  int64_t across = walk.inner.size, along = walk.along.size;
  Cut cut = {1, 1, 1, along, across, target_size};
  int64_t threads = std::min<int64_t>(thread_count(), walk.outer * across * along / enough);
  if (threads <= 1 || walk.outer >= 4 * threads) return cut;
  if (reads_target) {
    cut.piece = std::max<int64_t>(1, enough / 2 / across);
    cut.pieces = (along + cut.piece - 1) / cut.piece;
  } else if (across >= 4 * line * threads) {
    cut.tile = ((across + threads - 1) / threads + line - 1) / line * line;
  } else if (walk.outer < threads) {
    cut.range = std::max<int64_t>(1, (target_size + threads - 1) / threads);
    cut.ranges = (target_size + cut.range - 1) / cut.range;
  }
  if (reads_target && cut.pieces == 1) cut.tile = std::max<int64_t>(enough / along, line);
  cut.tiles = (across + cut.tile - 1) / cut.tile;
  return cut;
}

template <class Op, class T, class Index>
void run(const IndexArgs& args) {
  Walk walk = make_walk(args);
  if (walk.empty) return;
  Cut cut = make_cut(walk, Op::reads_target, args.target_size);
  int64_t units = walk.outer * cut.pieces * cut.tiles * cut.ranges;
  int64_t work = std::min(cut.piece, walk.along.size) * std::min(cut.tile, walk.inner.size);
  parallel_for(units, std::max<int64_t>(1, 32768 / work), [&](int64_t begin, int64_t end) {
    for (int64_t unit = begin; unit < end; ++unit) {
      int64_t rest = unit;
      int64_t range = rest % cut.ranges, tile = (rest /= cut.ranges) % cut.tiles;
      int64_t piece = (rest /= cut.tiles) % cut.pieces;
      rest /= cut.pieces;
      T* target = static_cast<T*>(args.target);
      T* source = static_cast<T*>(args.source);
      const Index* index = static_cast<const Index*>(args.index);
      for (int l = walk.count - 1; l >= 0; --l) {
        int64_t i = rest % walk.loops[l].size;
        rest /= walk.loops[l].size;
        target += i * walk.loops[l].target;
        source += i * walk.loops[l].source;
        index += i * walk.loops[l].index;
      }
      Part part = {piece * cut.piece, std::min(walk.along.size, (piece + 1) * cut.piece),
                   tile * cut.tile,   std::min(cut.tile, walk.inner.size - tile * cut.tile),
                   range * cut.range, (range + 1) * cut.range};
      if (walk.axis_innermost) {
        walk_lines<Op>(walk, target, source, index, part);
      } else {
        walk_rows<Op>(walk, target, source, index, part);
      }
    }
  });
}

template <class Op, class T>
void run_indexed(const IndexArgs& args) {
  if (args.index_type == DType::i32) {
    run<Op, T, int32_t>(args);
  } else {
    run<Op, T, int64_t>(args);
  }
}

// Moving elements needs their size only.
template <class Op>
void run_sized(const IndexArgs& args) {
  switch (size_of(args.dtype)) {
    case 1:
      return run_indexed<Op, uint8_t>(args);
    case 2:
      return run_indexed<Op, uint16_t>(args);
    case 4:
      return run_indexed<Op, uint32_t>(args);
    default:
      return run_indexed<Op, uint64_t>(args);
  }
}

}  // namespace

void gather(const IndexArgs& args) { run_sized<Gather>(args); }
void scatter(const IndexArgs& args) { run_sized<Write>(args); }
void scatter_add(const IndexArgs& args) {
  switch (args.dtype) {
    case DType::f64:
      return run_indexed<Add, double>(args);
    case DType::i64:
      return run_indexed<Add, int64_t>(args);
    case DType::i32:
      return run_indexed<Add, int32_t>(args);
    case DType::u8:
      return run_indexed<Add, uint8_t>(args);
    default:
      return run_indexed<Add, float>(args);
  }
}

namespace {

template <class Index>
int64_t find_bad(const Index* index, int rank, const int64_t* shape, const int64_t* strides,
                 int64_t size) {
  int64_t total = 1, inner = rank > 0 ? shape[rank - 1] : 1;
  for (int i = 0; i < rank; ++i) total *= shape[i];
  int64_t step = rank > 0 ? strides[rank - 1] : 1;
  if (inner > 1 && step == 0) inner = 1;  // a broadcast list repeats itself
  for (int64_t row = 0; row<total; row += rank> 0 ? shape[rank - 1] : 1) {
    int64_t rest = row / (rank > 0 ? shape[rank - 1] : 1), offset = 0;
    for (int i = rank - 2; i >= 0; --i) {
      offset += rest % shape[i] * strides[i];
      rest /= shape[i];
    }
    const Index* line = index + offset;
    bool bad = false;
    for (int64_t i = 0; i < inner; ++i) {
      bad |= static_cast<uint64_t>(static_cast<int64_t>(line[i * step])) >=
             static_cast<uint64_t>(size);
    }
    if (!bad) continue;
    for (int64_t i = 0; i < inner; ++i) {
      if (line[i * step] < 0 || line[i * step] >= size) return row + i;
    }
  }
  return -1;
}

}  // namespace

int64_t find_bad_index(const void* index, DType type, int rank, const int64_t* shape,
                       const int64_t* strides, int64_t size) {
  if (type == DType::i32) {
    return find_bad(static_cast<const int32_t*>(index), rank, shape, strides, size);
  }
  return find_bad(static_cast<const int64_t*>(index), rank, shape, strides, size);
}

}  // namespace strata::cpu
