// Running sums along an axis, in f64 or i64.
//
// Lines whose elements are nearest in memory: a warp a line, or a block where lines are few. A
// thread has four 16-byte chunks at a time; their totals are scanned by shuffles within a warp, by
// one total a warp through shared memory, and a carry goes from tile to tile. Where lines lie side
// by side, a thread walks down the W lines of a 16-byte chunk, four rows at a time (columns.h).
// Lines too few to fill the machine are cut into parts: the sums of all parts, a scan of those,
// then each part as if it were a line. Where memory does not lie on 16 bytes, or elements are
// strided, chunks are of one element.
//
// Device memory: reads and writes once, the least; in parts it reads twice, and keeps 8 bytes a
// part, written and read twice.
#include "kernels/reduce/columns.h"
#include "kernels/reduce/ops.h"
#include "kernels/reduce/walk.h"

namespace strata::gpu {
namespace {

template <class T>
using RunningSum = std::conditional_t<is_real<T>, double, int64_t>;
// What a running sum of T is stored as.
template <class T>
using SumElement = std::conditional_t<is_real<T>, T, int64_t>;

template <class T>
DEVICE SumElement<T> stored(RunningSum<T> sum) {
  if constexpr (is_real<T>)
    return from_compute<T>(static_cast<Compute<T>>(sum));
  else
    return sum;
}

template <class V>
DEVICE V warp_scan(V value) {
#pragma unroll
  for (int delta = 1; delta < 32; delta *= 2) {
    const V before = __shfl_up_sync(0xffffffffu, value, delta);
    if (static_cast<int>(threadIdx.x % 32) >= delta) value += before;
  }
  return value;
}

// Vectors of a line in scan order: vector c begins at `line` + c W elements. Where the scan goes
// backwards, vectors are turned round.
template <int W, class T>
DEVICE void turn(T (&elements)[W]) {
#pragma unroll
  for (int j = 0; j < W / 2; ++j) {
    const T kept = elements[j];
    elements[j] = elements[W - 1 - j];
    elements[W - 1 - j] = kept;
  }
}
template <int W, class T>
DEVICE T* vector_of(T* line, int c, int64_t stride) {
  return line + c * stride * W - (W > 1 && stride < 0 ? W - 1 : 0);
}
template <int W, class T>
DEVICE void take_in_order(const ColumnWords<T, W>& words, T (&elements)[W], int64_t stride) {
  words.take_apart(elements);
  if (W > 1 && stride < 0) turn(elements);
}
template <int W, class T>
DEVICE void store_in_order(T (&elements)[W], T* line, int c, int64_t stride) {
  if (W > 1 && stride < 0) turn(elements);
  store_elements(vector_of<W>(line, c, stride), elements);
}
template <class T>
DEVICE RunningSum<T> term(T element) {
  return static_cast<RunningSum<T>>(to_compute(element));
}

// Turns N totals a thread into the sums of all that comes before them, and adds them to `carry`;
// total n of every thread of the group comes before total n + 1 of any.
template <class Group, int N, class V>
DEVICE void scan_totals(V (&totals)[N], V& carry) {
  constexpr int warps = Group::block_threads / 32 / Group::groups_per_block;
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  V whole[N];
#pragma unroll
  for (int n = 0; n < N; ++n) {
    const V sum = warp_scan(totals[n]), before = __shfl_up_sync(0xffffffffu, sum, 1);
    whole[n] = __shfl_sync(0xffffffffu, sum, 31);
    totals[n] = lane == 0 ? V(0) : before;
  }
  if constexpr (warps == 1) {
#pragma unroll
    for (int n = 0; n < N; ++n) {
      totals[n] += carry;
      carry += whole[n];
    }
  } else {
    auto& shared = block_shared<WarpPartials<V, N * warps>>();
    if (lane == 0)
#pragma unroll
      for (int n = 0; n < N; ++n) shared.value[n * warps + warp] = whole[n];
    __syncthreads();
#pragma unroll
    for (int n = 0; n < N; ++n) {
#pragma unroll
      for (int w = 0; w < warps; ++w) {
        if (w == warp) totals[n] += carry;
        carry += shared.value[n * warps + w];
      }
    }
    __syncthreads();
  }
}

// before is [parts][lines], the sum of what comes before a part; null where a line is one part.
template <class Group, class T, int W>
__global__ void __launch_bounds__(Group::block_threads, 1)
    cumulative_sum_rows_kernel(cpu::Lines lines, Parts parts, const T* x, SumElement<T>* out,
                               const RunningSum<T>* before) {
  using V = RunningSum<T>;
  const int threads = Group::threads();
  for (int64_t unit = Group::index(); unit < lines.count * parts.count; unit += Group::count()) {
    const int64_t line = unit / parts.count, part = unit % parts.count, begin = part * parts.size;
    const int64_t rest = lines.size - begin;
    const int chunks = static_cast<int>(rest < parts.size ? rest : parts.size) / W;
    const Offsets at = walk_offsets(lines.loops, lines.loop_count, line);
    const T* from = x + at.x + begin * lines.stride;
    SumElement<T>* to = out + at.out + begin * lines.out_stride;
    V carry = before ? before[part * lines.count + line] : V(0);
    for (int tile = 0; tile < chunks; tile += rows_in_flight * threads) {
      const int first = tile + Group::rank();
      ColumnWords<T, W> words[rows_in_flight];
      T elements[W];
      V sums[rows_in_flight];
#pragma unroll
      for (int u = 0; u < rows_in_flight; ++u)
        if (first + u * threads < chunks)
          words[u].load(vector_of<W>(from, first + u * threads, lines.stride));
#pragma unroll
      for (int u = 0; u < rows_in_flight; ++u) {
        sums[u] = 0;
        if (first + u * threads >= chunks) continue;
        take_in_order(words[u], elements, lines.stride);
#pragma unroll
        for (int j = 0; j < W; ++j) sums[u] += term(elements[j]);
      }
      scan_totals<Group>(sums, carry);
#pragma unroll
      for (int u = 0; u < rows_in_flight; ++u) {
        if (first + u * threads >= chunks) continue;
        take_in_order(words[u], elements, lines.stride);
        SumElement<T> results[W];
#pragma unroll
        for (int j = 0; j < W; ++j) results[j] = stored<T>(sums[u] += term(elements[j]));
        store_in_order(results, to, first + u * threads, lines.out_stride);
      }
    }
  }
}
template <class Group, class T, int W>
__global__ void __launch_bounds__(Group::block_threads, 1)
    row_parts_kernel(cpu::Lines lines, Parts parts, const T* x, RunningSum<T>* sums) {
  for (int64_t unit = Group::index(); unit < lines.count * parts.count; unit += Group::count()) {
    const int64_t line = unit / parts.count, part = unit % parts.count, begin = part * parts.size;
    const int64_t rest = lines.size - begin;
    const int chunks = static_cast<int>(rest < parts.size ? rest : parts.size) / W;
    const T* from = x + walk_offsets(lines.loops, lines.loop_count, line).x + begin * lines.stride;
    RunningSum<T> sum = 0;
    for_each_row<W, T>(
        Group::rank(), chunks, Group::threads(),
        [&](int c) { return vector_of<W>(from, c, lines.stride); },
        [&](int, const T(&elements)[W]) {
#pragma unroll
          for (int j = 0; j < W; ++j) sum += term(elements[j]);
        });
    sum = Group::combine(sum, Add{});
    if (Group::rank() == 0) sums[part * lines.count + line] = sum;
  }
}

// Where lines lie side by side a thread has W lines of one part.
struct ColumnUnit {
  int64_t line, part, begin, end;
  bool mine;
};
template <int W>
DEVICE ColumnUnit column_unit(const cpu::Lines& lines, const Parts& parts, int width) {
  const int thread = static_cast<int>(threadIdx.x), rows = column_threads / width;
  const int64_t line = (int64_t{blockIdx.x} * width + thread % width) * W;
  const int64_t part = int64_t{blockIdx.y} * rows + thread / width;
  const int64_t begin = part * parts.size, end = begin + parts.size;
  return {line, part, begin, end < lines.size ? end : lines.size,
          line < lines.count && part < parts.count};
}
template <class T, int W>
__global__ void __launch_bounds__(column_threads, 1)
    column_parts_kernel(cpu::Lines lines, Parts parts, int width, const T* x, RunningSum<T>* sums) {
  const ColumnUnit unit = column_unit<W>(lines, parts, width);
  if (!unit.mine) return;
  const T* from = x + walk_offsets(lines.loops, lines.loop_count, unit.line).x;
  RunningSum<T> sum[W] = {};
  for_each_row<W, T>(
      unit.begin, unit.end, int64_t{1}, [&](int64_t i) { return from + i * lines.stride; },
      [&](int64_t, const T(&elements)[W]) {
#pragma unroll
        for (int j = 0; j < W; ++j) sum[j] += term(elements[j]);
      });
  store_elements(sums + unit.part * lines.count + unit.line, sum);
}
template <class T, int W>
__global__ void __launch_bounds__(column_threads, 1)
    cumulative_sum_columns_kernel(cpu::Lines lines, Parts parts, int width, const T* x,
                                  SumElement<T>* out, const RunningSum<T>* before) {
  const ColumnUnit unit = column_unit<W>(lines, parts, width);
  if (!unit.mine) return;
  const Offsets at = walk_offsets(lines.loops, lines.loop_count, unit.line);
  RunningSum<T> sum[W] = {};
  if (before) load_elements(sum, before + unit.part * lines.count + unit.line);
  for_each_row<W, T>(
      unit.begin, unit.end, int64_t{1}, [&](int64_t i) { return x + at.x + i * lines.stride; },
      [&](int64_t i, const T(&elements)[W]) {
        SumElement<T> results[W];
#pragma unroll
        for (int j = 0; j < W; ++j) results[j] = stored<T>(sum[j] += term(elements[j]));
        store_elements(out + at.out + i * lines.out_stride, results);
      });
}

// Turns sums[parts][lines] into the sums of all parts before each: 32 lines side by side a block,
// the parts of each in 32 runs.
constexpr int runs_of_parts = 32;

template <class V>
__global__ void __launch_bounds__(32 * runs_of_parts, 1)
    scan_parts_kernel(int64_t lines, int64_t parts, V* sums) {
  auto& totals = block_shared<ColumnPartials<V, runs_of_parts>>();
  const int64_t line = int64_t{blockIdx.x} * 32 + threadIdx.x;
  const int64_t run = (parts + runs_of_parts - 1) / runs_of_parts, begin = threadIdx.y * run;
  const int64_t end = line >= lines ? 0 : begin + run < parts ? begin + run : parts;
  const auto row = [&](int64_t part) { return sums + part * lines + line; };
  V sum = 0;
  for_each_row<1, V>(begin, end, int64_t{1}, row,
                     [&](int64_t, const V(&own)[1]) { sum += own[0]; });
  totals.put(sum);
  __syncthreads();
  sum = 0;
  for (int before = 0; before < static_cast<int>(threadIdx.y); ++before) sum += totals.get(before);
  for_each_row<1, V>(begin, end, int64_t{1}, row, [&](int64_t part, const V(&own)[1]) {
    *row(part) = sum;
    sum += own[0];
  });
}
template <class V>
void scan_parts(const cpu::Lines& lines, const Parts& parts, V* sums) {
  launch<scan_parts_kernel<V>>(
      {.grid = divide_up(lines.count, 32), .block = dim3(32, runs_of_parts)}, lines.count,
      parts.count, sums);
}

// Whether lines are whole vectors in both arrays, along the columns or along the rows.
bool columns_in_vectors(const cpu::Lines& lines, const void* x, const void* out, int W) {
  for (int i = 0; i < lines.loop_count; ++i)
    if (lines.loops[i].out_stride % W != 0 && i < lines.loop_count - 1) return false;
  return columns_are_vectors(x, lines.loops, lines.loop_count, W) && aligned(out) &&
         lines.loops[lines.loop_count - 1].out_stride == 1 && lines.stride % W == 0 &&
         lines.out_stride % W == 0;
}
bool rows_in_vectors(const cpu::Lines& lines, const void* x, const void* out, int W) {
  for (int i = 0; i < lines.loop_count; ++i)
    if (lines.loops[i].stride % W != 0 || lines.loops[i].out_stride % W != 0) return false;
  return lines.stride == 1 && lines.out_stride == 1 && lines.size % W == 0 && aligned(x) &&
         aligned(out);
}

template <class Group, int W, class T>
void sum_rows_by(const cpu::Lines& lines, const T* x, SumElement<T>* out) {
  // A part is at least 4 tiles of a block; there are enough for 4 blocks a multiprocessor.
  const Parts parts = Group::groups_per_block > 1
                          ? cut_lines(lines, lines.count, 1, lines.size, 32)
                          : cut_lines(lines, lines.count, int64_t{device().multiprocessors} * 4,
                                      4 * rows_in_flight * Group::block_threads * W, 32);
  const int64_t units = lines.count * parts.count;
  const LaunchConfig config{
      .grid = line_blocks(units, Group::groups_per_block, Group::block_threads),
      .block = Group::block_threads};
  const Scratch scratch(parts.count > 1 ? static_cast<size_t>(units) * sizeof(RunningSum<T>) : 0);
  auto* before = scratch.as<RunningSum<T>>();
  if (parts.count > 1) {
    launch<row_parts_kernel<Group, T, W>>(config, lines, parts, x, before);
    scan_parts(lines, parts, before);
  }
  launch<cumulative_sum_rows_kernel<Group, T, W>>(config, lines, parts, x, out, before);
}
template <int W, class T>
void sum_rows(const cpu::Lines& lines, const T* x, SumElement<T>* out) {
  const bool enough = lines.count >= int64_t{device().multiprocessors} * 32;
  if (enough || lines.size <= rows_in_flight * 32 * W)
    sum_rows_by<WarpGroup, W>(lines, x, out);
  else
    sum_rows_by<BlockGroup<256>, W>(lines, x, out);
}
template <int W, class T>
void sum_columns(const cpu::Lines& lines, const T* x, SumElement<T>* out) {
  const int64_t vectors = lines.count / W;
  const int width = column_width(vectors), rows = column_threads / width;
  // Threads for half of what the machine holds, of at least 32 rows each.
  const Parts parts = cut_lines(lines, vectors, int64_t{device().multiprocessors} * 1024, 32, 1);
  const LaunchConfig config{.grid = dim3(divide_up(vectors, width), divide_up(parts.count, rows)),
                            .block = column_threads};
  const int64_t sums = parts.count > 1 ? lines.count * parts.count : 0;
  const Scratch scratch(static_cast<size_t>(sums) * sizeof(RunningSum<T>));
  auto* before = scratch.as<RunningSum<T>>();
  if (parts.count > 1) {
    launch<column_parts_kernel<T, W>>(config, lines, parts, width, x, before);
    scan_parts(lines, parts, before);
  }
  launch<cumulative_sum_columns_kernel<T, W>>(config, lines, parts, width, x, out, before);
}

}  // namespace

void cumulative_sum(int axis, bool reverse, const ReduceArgs& args) {
  cpu::Lines lines = lines_along(axis, args);
  if (lines.count == 0 || lines.size == 0) return;
  const bool columns = lines_are_columns(lines);
  visit(args.dtype, [&]<class T>(Type<T>) {
    constexpr int W = vector_width<T>;
    const T* x = static_cast<const T*>(args.x);
    auto* out = static_cast<SumElement<T>*>(args.out);
    const bool vectors =
        columns ? columns_in_vectors(lines, x, out, W) : rows_in_vectors(lines, x, out, W);
    cpu::Lines walked = lines;
    if (reverse) {
      x += (lines.size - 1) * lines.stride;
      out += (lines.size - 1) * lines.out_stride;
      walked.stride = -lines.stride;
      walked.out_stride = -lines.out_stride;
    }
    if (columns)
      vectors ? sum_columns<W>(walked, x, out) : sum_columns<1>(walked, x, out);
    else
      vectors ? sum_rows<W>(walked, x, out) : sum_rows<1>(walked, x, out);
  });
}

}  // namespace strata::gpu
