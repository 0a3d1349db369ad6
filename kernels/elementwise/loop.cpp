// run(): axes are joined, operands of other types are staged through small buffers, the rest is
// split among threads. See loop.h.
#include "kernels/elementwise/loop.h"

#include <cstdlib>
#include <utility>

#include "kernels/common/parallel.h"

namespace strata::cpu {
namespace {

constexpr int64_t block = 256;  // elements staged at a time: 4 operands of 2 KiB stay in L1
// A tile: rows are two cache lines of an operand that walks it downwards, columns a long enough
// row.
constexpr int64_t tile_rows = 32, tile_columns = 64;

int64_t magnitude(int64_t stride) { return stride < 0 ? -stride : stride; }

void swap_axes(ElementwiseArgs& args, int i, int j) {
  std::swap(args.sizes[i], args.sizes[j]);
  for (int k = 0; k < args.operands; ++k) std::swap(args.strides[k][i], args.strides[k][j]);
}

// Whether axis i belongs outside axis j: decided by the output's strides, then by the inputs'.
bool outside(const ElementwiseArgs& args, int i, int j) {
  for (int k = 0; k < args.operands; ++k) {
    int64_t x = magnitude(args.strides[k][i]), y = magnitude(args.strides[k][j]);
    if (x != y) return x > y;
  }
  return false;
}

// Converts what the kernel does not read as it is, block by block.
struct Staged {
  const Kernel& kernel;
  const ElementwiseArgs& args;

  void operator()(int64_t n, const Run& run) const {
    alignas(64) char buffer[max_operands][block * 8];
    for (int64_t begin = 0; begin < n; begin += block) {
      int64_t count = std::min(block, n - begin);
      Run piece = run;
      for (int k = 0; k < args.operands; ++k) {
        DType type = args.dtype[k], wanted = kernel.types[k];
        char* data = run.data[k] + begin * run.stride[k] * static_cast<int64_t>(size_of(type));
        piece.data[k] = data;
        if (type == wanted) continue;
        piece.data[k] = buffer[k];
        if (k == 0) {
          piece.stride[0] = 1;
        } else if (run.stride[k] == 0) {
          convert(1, data, type, 0, buffer[k], wanted, 0);
        } else {
          convert(count, data, type, run.stride[k], buffer[k], wanted, 1);
          piece.stride[k] = 1;
        }
      }
      kernel.row(count, piece);
      if (args.dtype[0] != kernel.types[0]) {
        char* out =
            run.data[0] + begin * run.stride[0] * static_cast<int64_t>(size_of(args.dtype[0]));
        convert(count, buffer[0], kernel.types[0], 1, out, args.dtype[0], run.stride[0]);
      }
    }
  }
};

// out[i][j] = in[j * stride + i], rows x columns.
template <class T>
void turn_tile(const char* in, int64_t stride, int64_t rows, int64_t columns, char* out) {
  const T* from = reinterpret_cast<const T*>(in);
  T* to = reinterpret_cast<T*>(out);
  for (int64_t j = 0; j < columns; ++j) {
    for (int64_t i = 0; i < rows; ++i) to[i * tile_columns + j] = from[j * stride + i];
  }
}
void turn(int64_t bytes, const char* in, int64_t stride, int64_t rows, int64_t columns, char* out) {
  if (bytes == 8) return turn_tile<uint64_t>(in, stride, rows, columns, out);
  if (bytes == 4) return turn_tile<uint32_t>(in, stride, rows, columns, out);
  if (bytes == 2) return turn_tile<uint16_t>(in, stride, rows, columns, out);
  turn_tile<uint8_t>(in, stride, rows, columns, out);
}

// A loop nest with strides in bytes, walked by rows.
struct Nest {
  const ElementwiseArgs& args;
  int64_t bytes[max_operands];

  explicit Nest(const ElementwiseArgs& args) : args(args) {
    for (int k = 0; k < args.operands; ++k) bytes[k] = static_cast<int64_t>(size_of(args.dtype[k]));
  }
  Run start() const {
    Run run;
    run.parameter = args.parameter;
    for (int k = 0; k < args.operands; ++k) {
      run.data[k] = static_cast<char*>(args.data[k]);
      run.stride[k] = args.strides[k][args.rank - 1];
    }
    return run;
  }
  void advance(Run& run, int axis, int64_t steps) const {
    for (int k = 0; k < args.operands; ++k) {
      run.data[k] += steps * args.strides[k][axis] * bytes[k];
    }
  }

  // Elements begin..end of the nest in row-major order.
  template <class F>
  void walk(int64_t begin, int64_t end, F&& row) const {
    int last = args.rank - 1;
    int64_t index[max_axes], rest = begin;
    Run run = start();
    for (int axis = last; axis >= 0; --axis) {
      index[axis] = rest % args.sizes[axis];
      rest /= args.sizes[axis];
      advance(run, axis, index[axis]);
    }
    while (true) {
      int64_t count = std::min(args.sizes[last] - index[last], end - begin);
      row(count, run);
      begin += count;
      if (begin >= end) return;
      advance(run, last, -index[last]);
      index[last] = 0;
      for (int axis = last - 1; axis >= 0; --axis) {
        advance(run, axis, 1);
        if (++index[axis] < args.sizes[axis]) break;
        advance(run, axis, -args.sizes[axis]);
        index[axis] = 0;
      }
    }
  }

  // The same elements with the two innermost axes cut into tiles; `unit` counts tiles. An input
  // that lies densely down the tile is turned in a buffer first: each of its cache lines is read
  // once and whole, where strides that are powers of two would evict one another.
  int64_t tiles_down() const { return (args.sizes[args.rank - 2] + tile_rows - 1) / tile_rows; }
  int64_t tiles_across() const {
    return (args.sizes[args.rank - 1] + tile_columns - 1) / tile_columns;
  }
  template <class F>
  void walk_tiles(int64_t begin, int64_t end, F&& row) const {
    int last = args.rank - 1;
    alignas(64) char buffer[max_operands - 1][tile_rows * tile_columns * 8];
    for (int64_t unit = begin; unit < end; ++unit) {
      Run run = start();
      int64_t column = unit % tiles_across() * tile_columns, rest = unit / tiles_across();
      int64_t first = rest % tiles_down() * tile_rows;
      rest /= tiles_down();
      for (int axis = last - 2; axis >= 0; --axis) {
        advance(run, axis, rest % args.sizes[axis]);
        rest /= args.sizes[axis];
      }
      advance(run, last, column);
      advance(run, last - 1, first);
      int64_t columns = std::min(tile_columns, args.sizes[last] - column);
      int64_t rows = std::min(tile_rows, args.sizes[last - 1] - first);
      int64_t step[max_operands];  // bytes from a row to the next
      for (int k = 0; k < args.operands; ++k) {
        step[k] = args.strides[k][last - 1] * bytes[k];
        if (k == 0 || args.strides[k][last - 1] != 1 || args.strides[k][last] == 0) continue;
        turn(bytes[k], run.data[k], args.strides[k][last], rows, columns, buffer[k - 1]);
        run.data[k] = buffer[k - 1];
        run.stride[k] = 1;
        step[k] = tile_columns * bytes[k];
      }
      for (int64_t i = 0; i < rows; ++i) {
        row(columns, run);
        for (int k = 0; k < args.operands; ++k) run.data[k] += step[k];
      }
    }
  }
};

// If an input jumps along the inner axis and walks another one closely, that other axis is moved
// next to the inner one: tiles over the two use each cache line fully before it is evicted.
bool arrange_tiles(ElementwiseArgs& args) {
  int last = args.rank - 1;
  for (int k = 1; k < args.operands && args.rank >= 2; ++k) {
    if (magnitude(args.strides[k][last]) < 8) continue;
    int closest = last;
    for (int axis = last - 1; axis >= 0; --axis) {
      int64_t stride = magnitude(args.strides[k][axis]);
      if (stride != 0 && stride < magnitude(args.strides[k][closest])) closest = axis;
    }
    if (closest == last || args.sizes[closest] < 4) continue;
    for (int axis = closest; axis < last - 1; ++axis) swap_axes(args, axis, axis + 1);
    return true;
  }
  return false;
}

template <class F>
void run_rows(ElementwiseArgs& args, int64_t numel, F&& row) {
  if (args.rank == 1 && numel <= serial_limit) {
    row(numel, Nest(args).start());
    return;
  }
  if (arrange_tiles(args)) {
    Nest nest(args);
    int64_t units = nest.tiles_down() * nest.tiles_across();
    for (int axis = 0; axis < args.rank - 2; ++axis) units *= args.sizes[axis];
    int64_t grain = numel <= serial_limit ? units : std::max<int64_t>(1, units * 16384 / numel);
    parallel_for(units, grain,
                 [&](int64_t begin, int64_t end) { nest.walk_tiles(begin, end, row); });
    return;
  }
  Nest nest(args);
  int64_t grain = numel <= serial_limit ? numel : serial_limit / 2;
  parallel_for(numel, grain, [&](int64_t begin, int64_t end) { nest.walk(begin, end, row); });
}

}  // namespace

int64_t collapse(ElementwiseArgs& args) {
  int rank = 0;
  int64_t numel = 1;
  for (int axis = 0; axis < args.rank; ++axis) {
    numel *= args.sizes[axis];
    if (args.sizes[axis] == 1) continue;
    if (axis != rank) swap_axes(args, axis, rank);
    ++rank;
  }
  for (int i = 1; i < rank; ++i) {
    for (int j = i; j > 0 && outside(args, j, j - 1); --j) swap_axes(args, j, j - 1);
  }
  int kept = rank > 0 ? 1 : 0;
  for (int axis = 1; axis < rank; ++axis) {
    bool joins = true;
    for (int k = 0; k < args.operands; ++k) {
      joins &= args.strides[k][kept - 1] == args.strides[k][axis] * args.sizes[axis];
    }
    int target = joins ? kept - 1 : kept++;
    args.sizes[target] = joins ? args.sizes[target] * args.sizes[axis] : args.sizes[axis];
    for (int k = 0; k < args.operands; ++k) args.strides[k][target] = args.strides[k][axis];
  }
  if (kept == 0) {
    args.sizes[0] = 1;
    for (int k = 0; k < args.operands; ++k) args.strides[k][0] = 1;
    kept = 1;
  }
  args.rank = kept;
  return numel;
}

void run(const Kernel& kernel, ElementwiseArgs& args) {
  int64_t numel = args.rank == 1 ? args.sizes[0] : collapse(args);
  if (numel == 0) return;
  bool staged = false;
  for (int k = 0; k < args.operands; ++k) staged |= args.dtype[k] != kernel.types[k];
  if (staged) {
    run_rows(args, numel, Staged{kernel, args});
  } else {
    run_rows(args, numel, kernel.row);
  }
}

}  // namespace strata::cpu
