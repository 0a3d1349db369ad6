// The index of the first largest or smallest element of each line. Ties go to the smaller index and
// the first NaN wins, so the result does not depend on the order in which threads combine.
//
// Lines whose elements are nearest in memory: a warp a line, or a block where lines are long; each
// place in a thread's 16-byte chunks has a candidate of its own, so that comparisons overlap, and
// four chunks are under way. Where lines lie side by side a thread takes the neighbouring lines of
// a chunk (columns.h). Lines too few to fill the machine are cut into parts, and a second kernel
// finds the best part.
// Device memory: the input once, the least, and 8 or 16 bytes a part.
#include "kernels/reduce/columns.h"
#include "kernels/reduce/ops.h"
#include "kernels/reduce/walk.h"

namespace strata::gpu {
namespace {

// A value and where it is. What has seen nothing holds the identity, at any place of the line or
// behind it: it loses to every element but its equals, of which the first is at a smaller index.
template <class V>
struct Candidate {
  V value;
  int index;  // in the part
};
template <class V>
DEVICE bool beats(V value, V best) {  // a NaN everything but a NaN
  if constexpr (std::is_floating_point_v<V>)
    return !(value <= best) && best == best;
  else
    return value > best;
}
struct Better {
  template <class V>
  DEVICE Candidate<V> operator()(const Candidate<V>& a, const Candidate<V>& b) const {
    if (beats(b.value, a.value)) return b;
    if (beats(a.value, b.value)) return a;
    return b.index < a.index ? b : a;
  }
};

template <class T>
using CandidateOf = Candidate<typename ExtremeOp<T>::Lane>;

// What a thread of Group has of x[0, n), n elements side by side.
template <class Group, class T>
DEVICE CandidateOf<T> scan_run(const ExtremeOp<T>& op, const T* x, int n) {
  constexpr int W = vector_width<T>;
  const int rank = Group::rank(), threads = Group::threads();
  const int lead = (W - phase_of(x)) % W, head = lead < n ? lead : n;
  const int chunks = (n - head) / W, tail = head + chunks * W;
  CandidateOf<T> best{op.identity(), rank};
  if (rank < head) best = {op.load(x[rank], 0), rank};
  if (tail + rank < n) best = Better{}(best, {op.load(x[tail + rank], 0), tail + rank});
  typename ExtremeOp<T>::Lane value[W];
  int chunk_of[W];
#pragma unroll
  for (int j = 0; j < W; ++j) value[j] = op.identity(), chunk_of[j] = rank;
  for_each_row<W, T>(
      rank, chunks, threads, [&](int c) { return x + head + c * W; },
      [&](int c, const T(&elements)[W]) {
#pragma unroll
        for (int j = 0; j < W; ++j) {
          const auto next = op.load(elements[j], 0);
          const bool better = beats(next, value[j]);
          value[j] = better ? next : value[j];
          chunk_of[j] = better ? c : chunk_of[j];
        }
      });
#pragma unroll
  for (int j = 0; j < W; ++j) best = Better{}(best, {value[j], head + chunk_of[j] * W + j});
  return best;
}
template <class Group, class T>
DEVICE CandidateOf<T> scan_strided(const ExtremeOp<T>& op, const T* x, int n, int64_t stride) {
  CandidateOf<T> best{op.identity(), Group::rank()};
  for (int i = Group::rank(); i < n; i += Group::threads())
    best = Better{}(best, {op.load(x[i * stride], 0), i});
  return best;
}

// partial is [lines][parts]; null where a line is one part.
template <class Group, class T>
__global__ void __launch_bounds__(Group::block_threads, 1)
    arg_extreme_rows_kernel(ExtremeOp<T> op, cpu::Lines lines, Parts parts, const T* x,
                            int64_t* out, CandidateOf<T>* partial) {
  for (int64_t unit = Group::index(); unit < lines.count * parts.count; unit += Group::count()) {
    const int64_t line = unit / parts.count, begin = unit % parts.count * parts.size;
    const int64_t rest = lines.size - begin;
    const int n = static_cast<int>(rest < parts.size ? rest : parts.size);
    const Offsets at = walk_offsets(lines.loops, lines.loop_count, line);
    const T* from = x + at.x + begin * lines.stride;
    const auto best =
        Group::combine(lines.stride == 1 ? scan_run<Group>(op, from, n)
                                         : scan_strided<Group>(op, from, n, lines.stride),
                       Better{});
    if (Group::rank() != 0) continue;
    if (partial)
      partial[unit] = best;
    else
      out[at.out] = best.index;
  }
}

// The same where lines lie side by side, W of them a thread.
template <class T, int W>
__global__ void __launch_bounds__(column_threads, 1)
    arg_extreme_columns_kernel(ExtremeOp<T> op, cpu::Lines lines, Parts parts, int width,
                               const T* x, int64_t* out, CandidateOf<T>* partial) {
  const int thread = static_cast<int>(threadIdx.x), step = column_threads / width;
  const int64_t first = int64_t{blockIdx.x} * width * W, line = first + thread % width * W;
  const bool mine = line < lines.count;
  const int64_t begin = int64_t{blockIdx.y} * parts.size, rest = lines.size - begin;
  const int rows = !mine ? 0 : static_cast<int>(rest < parts.size ? rest : parts.size);
  const T* from =
      x + walk_offsets(lines.loops, lines.loop_count, mine ? line : 0).x + begin * lines.stride;
  CandidateOf<T> best[W];
#pragma unroll
  for (int j = 0; j < W; ++j) best[j] = {op.identity(), thread / width};
  for_each_row<W, T>(
      thread / width, rows, step, [&](int i) { return from + i * lines.stride; },
      [&](int i, const T(&elements)[W]) {
#pragma unroll
        for (int j = 0; j < W; ++j) {
          const auto next = op.load(elements[j], 0);
          const bool better = beats(next, best[j].value);
          best[j].value = better ? next : best[j].value;
          best[j].index = better ? i : best[j].index;
        }
      });
  combine_columns(width, best, Better{}, [&](int column, const CandidateOf<T>& result) {
    const int64_t to = first + column;
    if (to >= lines.count) return;
    if (partial)
      partial[to * parts.count + blockIdx.y] = result;
    else
      out[walk_offsets(lines.loops, lines.loop_count, to).out] = result.index;
  });
}

// Stage 2: a warp a line finds the first of its best parts.
template <class V>
__global__ void __launch_bounds__(WarpGroup::block_threads, 1)
    best_part_kernel(cpu::Lines lines, Parts parts, const Candidate<V>* partial, int64_t* out) {
  for (int64_t line = WarpGroup::index(); line < lines.count; line += WarpGroup::count()) {
    const Candidate<V>* candidates = partial + line * parts.count;
    const int first = WarpGroup::rank() < parts.count ? WarpGroup::rank() : 0;
    Candidate<V> best{candidates[first].value, first};
    for (int part = first + 32; part < parts.count; part += 32)
      best = Better{}(best, {candidates[part].value, part});
    best = WarpGroup::combine(best, Better{});
    if (WarpGroup::rank() == 0)
      out[walk_offsets(lines.loops, lines.loop_count, line).out] =
          best.index * parts.size + candidates[best.index].index;
  }
}

// Launches `first` with room for a candidate a part, then stage 2 where there are parts.
template <class T, class First>
void find_by_parts(const cpu::Lines& lines, const Parts& parts, int64_t* out, First first) {
  const int64_t candidates = parts.count > 1 ? lines.count * parts.count : 0;
  const Scratch partial(static_cast<size_t>(candidates) * sizeof(CandidateOf<T>));
  first(partial.as<CandidateOf<T>>());
  if (parts.count > 1)
    launch<best_part_kernel<typename ExtremeOp<T>::Lane>>(
        {.grid = line_blocks(lines.count, WarpGroup::groups_per_block, WarpGroup::block_threads),
         .block = WarpGroup::block_threads},
        lines, parts, partial.as<CandidateOf<T>>(), out);
}

// Lines from this length are a block's work, where they are too few to give every warp one.
template <class T>
inline constexpr int64_t long_line = 16 * 32 * vector_width<T>;

template <class Group, class T>
void find_in_rows(const ExtremeOp<T>& op, const cpu::Lines& lines, const T* x, int64_t* out) {
  const int64_t groups =
      int64_t{device().multiprocessors} * (2048 / Group::block_threads) * Group::groups_per_block;
  const Parts parts = cut_lines(lines, lines.count, groups, long_line<T>, vector_width<T>);
  find_by_parts<T>(lines, parts, out, [&](CandidateOf<T>* partial) {
    launch<arg_extreme_rows_kernel<Group, T>>(
        {.grid =
             line_blocks(lines.count * parts.count, Group::groups_per_block, Group::block_threads),
         .block = Group::block_threads},
        op, lines, parts, x, out, partial);
  });
}
template <int W, class T>
void find_in_columns(const ExtremeOp<T>& op, const cpu::Lines& lines, const T* x, int64_t* out) {
  const int width = column_width(lines.count / W), rows = column_threads / width;
  const unsigned blocks = divide_up(lines.count, width * W);
  const int64_t resident = int64_t{device().multiprocessors} * (2048 / column_threads);
  const Parts parts = cut_lines(lines, blocks, resident, 8 * rows, 1);
  find_by_parts<T>(lines, parts, out, [&](CandidateOf<T>* partial) {
    launch<arg_extreme_columns_kernel<T, W>>(
        {.grid = dim3(blocks, static_cast<unsigned>(parts.count)), .block = column_threads}, op,
        lines, parts, width, x, out, partial);
  });
}

template <class T>
void find(const ExtremeOp<T>& op, const cpu::Lines& lines, const T* x, int64_t* out) {
  constexpr int W = vector_width<T>;
  if (lines_are_columns(lines)) {
    if (columns_are_vectors(x, lines.loops, lines.loop_count, W) && lines.stride % W == 0)
      find_in_columns<W>(op, lines, x, out);
    else
      find_in_columns<1>(op, lines, x, out);
  } else if (lines.size >= long_line<T> && lines.count < device().multiprocessors * 64) {
    find_in_rows<BlockGroup<256>>(op, lines, x, out);
  } else {
    find_in_rows<WarpGroup>(op, lines, x, out);
  }
}

}  // namespace

void arg_extreme(bool largest, int axis, const ReduceArgs& args) {
  int64_t out_strides[cpu::max_reduce_rank] = {};
  for (int64_t i = args.rank - 1, step = 1; i >= 0; --i) {
    out_strides[i] = i == axis ? 0 : step;
    if (i != axis) step *= args.shape[i];
  }
  const cpu::Lines lines = cpu::make_lines(args.rank, args.shape, args.strides, out_strides, axis);
  if (lines.count == 0 || lines.size == 0) return;
  visit(args.dtype, [&]<class T>(Type<T>) {
    find(ExtremeOp<T>{!largest}, lines, static_cast<const T*>(args.x),
         static_cast<int64_t*>(args.out));
  });
}

}  // namespace strata::gpu
