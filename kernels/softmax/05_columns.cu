// Rung 5: an axis that is not the last. A thread owns the W neighbouring columns of a 16-byte load
// (one column where memory does not allow that) and goes down them four rows at a time, online as
// rung 2: four rows share one rescaling. Threads above each other combine through shared memory.
//
// Where the columns alone do not fill the machine, the axis is cut into parts: one kernel leaves a
// maximum and a sum for each part and column, a second combines the parts in order, a third maps.
// Otherwise one kernel does it all. Either walks the elements backwards the second time: what was
// read last is in a cache. Gradients go the same way with a sum in place of the state.
//
// Device memory: 2 reads and 1 write where 1 and 1 is the least, less what caches held; states are
// 8 bytes a column and part. Any sizes; inner = 1 too, then without contiguous accesses.
#include <algorithm>
#include <bit>

#include "kernels/gpu/convert.h"
#include "kernels/gpu/scratch.h"
#include "kernels/reduce/columns.h"
#include "kernels/reduce/rows_in_flight.h"
#include "kernels/softmax/online.h"
#include "kernels/softmax/rung.h"

namespace strata::gpu {
namespace {

// The two passes as policies: what is read, the state of a column, the result of an element.
template <class Element>
struct Forward {
  using T = Element;
  using C = Compute<T>;
  using State = OnlineSoftmax<T>;
  using Combine = CombineOnline;
  static constexpr int arrays = 1;
  const T* in[arrays];
  T* out;
  bool log;

  DEVICE static State empty() { return State::empty(); }
  template <int Rows>
  DEVICE void add(State& state, const C (&terms)[arrays][Rows]) const {
    state.add(terms[0]);
  }
  struct Column {
    C largest, log_sum, factor;
  };
  DEVICE Column column(const State& state) const {
    const C sum = state.total();
    return {state.largest, logarithm(sum), 1 / sum};
  }
  DEVICE C result(const Column& of, const C (&x)[arrays]) const {
    const C d = x[0] - of.largest;
    return log ? d - of.log_sum : exponential_or_zero<T>(d) * of.factor;
  }
};
template <class Element>
struct Backward {
  using T = Element;
  using C = Compute<T>;
  using State = C;
  using Combine = Add;
  static constexpr int arrays = 2;
  const T* in[arrays];  // y, dy
  T* out;
  bool log;

  DEVICE static State empty() { return C(0); }
  template <int Rows>
  DEVICE void add(State& state, const C (&terms)[arrays][Rows]) const {
#pragma unroll
    for (int k = 0; k < Rows; ++k) state += log ? terms[1][k] : terms[1][k] * terms[0][k];
  }
  using Column = C;
  DEVICE Column column(const State& state) const { return state; }
  DEVICE C result(const Column& sum, const C (&x)[arrays]) const {
    return log ? x[1] - exponential<T>(x[0]) * sum : x[0] * (x[1] - sum);
  }
};

// How blocks lie on an array [outer, size, inner]: `width` threads side by side.
struct ColumnGrid {
  int64_t columns, size, inner;
  int width;
  int64_t part;  // rows
  int parts;

  LaunchConfig config(int W) const {
    return {.grid = dim3(divide_up(columns, width * W), static_cast<unsigned>(parts)),
            .block = column_threads};
  }
};
constexpr int depth = 4;  // rows in flight
template <class T>
constexpr int blocks_each = sizeof(T) == 8 ? 1 : 3;  // that a multiprocessor holds

// Where a thread stands.
template <int W>
struct Place {
  int64_t first, column;  // of the block, of the thread
  int rows;               // of the thread's part
  int64_t at, last, step;

  DEVICE explicit Place(const ColumnGrid& grid) {
    const int thread = static_cast<int>(threadIdx.x), beside = thread % grid.width;
    const int above = column_threads / grid.width;  // rows of a block
    first = int64_t{blockIdx.x} * grid.width * W;
    column = first + int64_t{beside} * W;
    const int64_t begin = int64_t{blockIdx.y} * grid.part + thread / grid.width;
    const int64_t part_end = (int64_t{blockIdx.y} + 1) * grid.part;
    const int64_t end = part_end < grid.size ? part_end : grid.size;
    rows = column < grid.columns && begin < end
               ? static_cast<int>((end - begin + above - 1) / above)
               : 0;
    const int64_t outer = column / grid.inner;
    step = above * grid.inner;
    at = (outer * grid.size + begin) * grid.inner + column % grid.inner;
    last = at + (rows - 1) * step;
  }
};

// What is loaded of a row: a thread's columns of each array, not yet taken apart.
template <class P, int W>
struct RowWords {
  ColumnWords<typename P::T, W> of[P::arrays];

  DEVICE static RowWords load(const P& pass, int64_t at) {
    RowWords words;
#pragma unroll
    for (int a = 0; a < P::arrays; ++a) words.of[a].load(pass.in[a] + at);
    return words;
  }
  DEVICE void take_apart(int a, typename P::C (&values)[W]) const {
    if constexpr (W == 1)
      values[0] = to_compute(of[a].value);
    else
      expand<typename P::T>(chunk_of<typename P::T>(of[a].words), values);
  }
};
template <class P, int W, int Rows>
DEVICE void add_rows(const P& pass, const RowWords<P, W>* rows, typename P::State (&state)[W]) {
  typename P::C terms[W][P::arrays][Rows];
#pragma unroll
  for (int a = 0; a < P::arrays; ++a)
#pragma unroll
    for (int k = 0; k < Rows; ++k) {
      typename P::C values[W];
      rows[k].take_apart(a, values);
#pragma unroll
      for (int j = 0; j < W; ++j) terms[j][a][k] = values[j];
    }
#pragma unroll
  for (int j = 0; j < W; ++j) pass.add(state[j], terms[j]);
}

// The states of the block's columns; write(column of the block, state) gets those of its part.
template <class P, int W, class Write>
DEVICE void part_states(const P& pass, int width, const Place<W>& my, Write write) {
  typename P::State state[W];
#pragma unroll
  for (int j = 0; j < W; ++j) state[j] = P::empty();
  using Row = RowWords<P, W>;
  walk_groups<depth>(
      my.rows, my.at, my.step, [&](int64_t at) { return Row::load(pass, at); },
      [&](const Row(&rows)[depth]) { add_rows<P, W, depth>(pass, rows, state); },
      [&](const Row& row) { add_rows<P, W, 1>(pass, &row, state); });
  combine_columns(width, state, typename P::Combine{}, write);
}
template <class P, int W>
DEVICE void map_rows(const P& pass, const Place<W>& my, const typename P::Column (&column)[W]) {
  using T = typename P::T;
  using C = typename P::C;
  using Row = RowWords<P, W>;
  const auto load = [&](int64_t at) { return Row::load(pass, at); };
  walk_rows<depth>(my.rows, my.last, -my.step, load, [&](int64_t at, const Row& row) {
    C values[P::arrays][W], results[W];
#pragma unroll
    for (int a = 0; a < P::arrays; ++a) row.take_apart(a, values[a]);
#pragma unroll
    for (int j = 0; j < W; ++j) {
      C terms[P::arrays];
#pragma unroll
      for (int a = 0; a < P::arrays; ++a) terms[a] = values[a][j];
      results[j] = pass.result(column[j], terms);
    }
    if constexpr (W == 1)
      pass.out[at] = from_compute<T>(results[0]);
    else
      store_vector(reinterpret_cast<uint32_t*>(pass.out + at), words_of<T>(contract<T>(results)));
  });
}

// One part: all in one kernel, of more registers.
template <class P, int W>
__global__ void __launch_bounds__(column_threads, (blocks_each<typename P::T> + 1) / 2)
    softmax_columns_kernel(P pass, ColumnGrid grid) {
  const Place<W> my(grid);
  // A column's state replaces the first of those that it was combined from.
  auto& share = block_shared<ColumnShare<typename P::State, W>>();
  part_states(pass, grid.width, my, [&](int column, const typename P::State& state) {
    share.value[column % W][column / W] = state;
  });
  __syncthreads();
  typename P::Column column[W];
#pragma unroll
  for (int j = 0; j < W; ++j)
    column[j] = pass.column(share.value[j][static_cast<int>(threadIdx.x) % grid.width]);
  map_rows(pass, my, column);
}

// Several: partial is [parts][columns].
template <class P, int W>
__global__ void __launch_bounds__(column_threads, blocks_each<typename P::T>)
    softmax_column_parts_kernel(P pass, ColumnGrid grid, typename P::State* partial) {
  const Place<W> my(grid);
  part_states(pass, grid.width, my, [&](int column, const typename P::State& state) {
    if (my.first + column < grid.columns)
      partial[blockIdx.y * grid.columns + my.first + column] = state;
  });
}
constexpr int combine_rows = 8;
template <class P>
__global__ void __launch_bounds__(32 * combine_rows, 1)
    softmax_combine_parts_kernel(ColumnGrid grid, const typename P::State* partial,
                                 typename P::State* states) {
  const int64_t wanted = int64_t{blockIdx.x} * 32 + threadIdx.x;
  const int64_t column = wanted < grid.columns ? wanted : grid.columns - 1;
  const int first = static_cast<int>(threadIdx.y);
  auto state = P::empty();
  walk_rows<8>(
      (grid.parts - first + combine_rows - 1) / combine_rows, first * grid.columns + column,
      combine_rows * grid.columns, [&](int64_t at) { return partial[at]; },
      [&](int64_t, const typename P::State& part) { state = typename P::Combine{}(state, part); });
  state = column_combine<combine_rows>(state, typename P::Combine{});
  if (threadIdx.y == 0 && wanted == column) states[column] = state;
}
template <class P, int W>
__global__ void __launch_bounds__(column_threads, blocks_each<typename P::T>)
    softmax_map_columns_kernel(P pass, ColumnGrid grid, const typename P::State* states) {
  const Place<W> my(grid);
  if (my.rows == 0) return;
  typename P::Column column[W];
#pragma unroll
  for (int j = 0; j < W; ++j) column[j] = pass.column(states[my.column + j]);
  map_rows(pass, my, column);
}

// A wave of blocks: narrow ones, of up to 8 rows a thread column, where the axis is long.
ColumnGrid column_grid(int64_t columns, int64_t size, int64_t inner, int W, int resident) {
  ColumnGrid grid{columns, size, inner, 1, size, 1};
  const int64_t vectors = columns / W, above = std::clamp<int64_t>(size / depth, 1, 8);
  const auto widest = static_cast<int64_t>(
      column_threads / static_cast<int>(std::bit_floor(static_cast<uint64_t>(above))));
  grid.width = static_cast<int>(
      std::bit_ceil(static_cast<uint64_t>(std::clamp<int64_t>(vectors, 1, widest))));
  const int64_t blocks = (vectors + grid.width - 1) / grid.width;
  const int64_t room = int64_t{device().multiprocessors} * resident / blocks;
  const int64_t least = int64_t{column_threads / grid.width} * 2 * depth;  // rows of a part
  const int64_t parts = std::clamp<int64_t>(size / least, 1, std::max<int64_t>(room, 1));
  grid.part = (size + parts - 1) / parts;
  grid.parts = static_cast<int>((size + grid.part - 1) / grid.part);
  return grid;
}
template <class P, int W>
void run(const P& pass, const ColumnGrid& grid) {
  if (grid.parts == 1) return launch<softmax_columns_kernel<P, W>>(grid.config(W), pass, grid);
  using State = typename P::State;
  const size_t states = static_cast<size_t>(grid.columns);
  const Scratch scratch(sizeof(State) * states * static_cast<size_t>(grid.parts + 1));
  State *total = scratch.as<State>(), *partial = total + states;
  launch<softmax_column_parts_kernel<P, W>>(grid.config(W), pass, grid, partial);
  launch<softmax_combine_parts_kernel<P>>(
      {.grid = divide_up(grid.columns, 32), .block = dim3(32, combine_rows)}, grid, partial, total);
  launch<softmax_map_columns_kernel<P, W>>(grid.config(W), pass, grid, total);
}
template <class P>
void run(const P& pass, int64_t outer, int64_t size, int64_t inner) {
  constexpr int W = vector_width<typename P::T>, resident = blocks_each<typename P::T>;
  const bool vectors = inner % W == 0 && aligned(pass.out) &&
                       std::all_of(std::begin(pass.in), std::end(pass.in), aligned);
  if (vectors)
    run<P, W>(pass, column_grid(outer * inner, size, inner, W, resident));
  else
    run<P, 1>(pass, column_grid(outer * inner, size, inner, 1, resident));
}

}  // namespace

bool softmax_any(const SoftmaxArgs&) { return true; }

void softmax_columns(const SoftmaxArgs& args) {
  visit_float(args.dtype, [&]<class T>(Type<T>) {
    run(Forward<T>{{static_cast<const T*>(args.x)}, static_cast<T*>(args.y), args.log}, args.outer,
        args.size, args.inner);
  });
}
void softmax_gradient_columns(const SoftmaxGradientArgs& args) {
  visit_float(args.dtype, [&]<class T>(Type<T>) {
    run(Backward<T>{{static_cast<const T*>(args.y), static_cast<const T*>(args.dy)},
                    static_cast<T*>(args.dx),
                    args.log},
        args.outer, args.size, args.inner);
  });
}

}  // namespace strata::gpu
