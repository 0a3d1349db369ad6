// Rung 5: where an axis that stays is nearest in memory (a bias gradient sums all axes but the
// last). A thread takes the neighbouring outputs of a 16-byte chunk, and rows four at a time, so
// that a multiprocessor has tens of KiB under way; threads above each other meet in shared memory;
// the rows are cut into parts until the machine is full, and a second kernel adds the parts up in
// order. Where rows do not lie on 16-byte boundaries, or not at one distance, a thread takes one
// output. Any kind, type and strides.
//
// Device memory: the input once, the least, and 8 bytes an output and part, of at least 64 rows,
// written and read.
#include "kernels/reduce/columns.h"
#include "kernels/reduce/rung.h"
#include "kernels/reduce/walk.h"

namespace strata::gpu {
namespace {

// partial is [parts][outputs].
template <class Op, int W>
__global__ void __launch_bounds__(column_threads, 1)
    reduce_columns_kernel(Op op, Walk walk, int width, const typename Op::Element* x,
                          const typename Op::Shift* shifts, Finish finish,
                          typename Op::Total* partial) {
  using T = typename Op::Element;
  const int thread = static_cast<int>(threadIdx.x);
  const int64_t first = int64_t{blockIdx.x} * width * W;  // output of the block
  const int64_t output = first + thread % width * W;
  const bool mine = output < walk.outputs;
  const Offsets at = walk_offsets(walk.kept, walk.kept_count, mine ? output : 0);
  const int64_t beside = walk.kept_count > 0 ? walk.kept[walk.kept_count - 1].out_stride : 0;
  typename Op::Shift shift[W];
  typename Op::Total total[W];
#pragma unroll
  for (int j = 0; j < W; ++j) {
    shift[j] = mine && shifts ? shifts[at.out + j * beside] : typename Op::Shift(0);
    total[j] = static_cast<typename Op::Total>(op.identity());
  }
  const int64_t part = int64_t{blockIdx.y} * walk.part, step = column_threads / width;
  const int64_t end = !mine ? 0 : part + walk.part < walk.length ? part + walk.part : walk.length;
  const int64_t stride = walk.reduced_count > 0 ? walk.reduced[0].stride : 0;
  const auto row = [&](int64_t i) {
    if (W > 1 || walk.reduced_count <= 1) return x + at.x + i * stride;
    return x + at.x + walk_offsets(walk.reduced, walk.reduced_count, i).x;
  };
  constexpr int depth = 32;  // terms of a Lane
  for (int64_t i = part + thread / width; i < end; i += depth * step) {
    typename Op::Lane lane[W];
#pragma unroll
    for (int j = 0; j < W; ++j) lane[j] = op.identity();
    const int64_t until = i + depth * step < end ? i + depth * step : end;
    for_each_row<W, T>(i, until, step, row, [&](int64_t, const T(&terms)[W]) {
#pragma unroll
      for (int j = 0; j < W; ++j) lane[j] = op.step(lane[j], op.load(terms[j], shift[j]));
    });
#pragma unroll
    for (int j = 0; j < W; ++j)
      total[j] = typename Op::Merge{}(total[j], static_cast<typename Op::Total>(lane[j]));
  }
  combine_columns(width, total, typename Op::Merge{}, [&](int column, typename Op::Total result) {
    const int64_t to = first + column;
    if (to >= walk.outputs) return;
    if (partial)
      partial[blockIdx.y * walk.outputs + to] = result;
    else
      finish.write(walk_offsets(walk.kept, walk.kept_count, to).out, result);
  });
}

constexpr int rows_of_block = 8;

template <class Total, class Merge>
__global__ void __launch_bounds__(32 * rows_of_block, 1)
    combine_column_parts_kernel(Walk walk, const Total* partial, Finish finish) {
  const int64_t output = int64_t{blockIdx.x} * 32 + threadIdx.x;
  const bool mine = output < walk.outputs;
  Maybe<Total> total{};
#pragma unroll 4
  for (int64_t part = threadIdx.y; part < walk.parts; part += rows_of_block)
    if (mine)
      total = MergeMaybe<Merge>{}(total, Maybe<Total>{partial[part * walk.outputs + output], 1});
  total = column_combine<rows_of_block>(total, MergeMaybe<Merge>{});
  if (threadIdx.y == 0 && mine)
    finish.write(walk_offsets(walk.kept, walk.kept_count, output).out, total.value);
}

// Whether rows are whole vectors that follow each other at one distance.
bool rows_are_vectors(const Walk& walk, int W) {
  return walk.reduced_count == 0 || (walk.reduced_count == 1 && walk.reduced[0].stride % W == 0);
}

template <class Op, int W>
void run(const Op& op, Walk walk, const ReduceArgs& args, const Finish& finish) {
  using Total = typename Op::Total;
  const int width = column_width(walk.outputs / W), rows = column_threads / width;
  // As many blocks as the machine holds, of at least 8 rows a thread.
  cut(walk, int64_t{device().multiprocessors} * (2048 / column_threads) * width * W, 8 * rows);
  const int64_t totals = walk.parts > 1 ? walk.outputs * walk.parts : 0;
  const Scratch partial(static_cast<size_t>(totals) * sizeof(Total));
  launch<reduce_columns_kernel<Op, W>>(
      {.grid = dim3(divide_up(walk.outputs, width * W), static_cast<unsigned>(walk.parts)),
       .block = column_threads},
      op, walk, width, static_cast<const typename Op::Element*>(args.x) + walk.first,
      static_cast<const typename Op::Shift*>(args.shift), finish, partial.as<Total>());
  if (walk.parts > 1)
    launch<combine_column_parts_kernel<Total, typename Op::Merge>>(
        {.grid = divide_up(walk.outputs, 32), .block = dim3(32, rows_of_block)}, walk,
        partial.as<Total>(), finish);
}

}  // namespace

void reduce_columns(ReduceKind kind, const ReduceArgs& args) {
  const Walk walk = make_walk(args);
  const Finish finish = finish_of(kind, args);
  visit_op(kind, args, [&]<class Op>(Op op) {
    using T = typename Op::Element;
    constexpr int W = vector_width<T>;
    const T* x = static_cast<const T*>(args.x) + walk.first;
    if (columns_are_vectors(x, walk.kept, walk.kept_count, W) && rows_are_vectors(walk, W))
      run<Op, W>(op, walk, args, finish);
    else
      run<Op, 1>(op, walk, args, finish);
  });
}

}  // namespace strata::gpu
