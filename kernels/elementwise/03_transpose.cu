// Rung 3, for copies that turn two axes: read a 32 x 32 tile along the axis that is dense in the
// input, write it along the one that is dense in the output. Rung 1 would read one element of every
// sector it fetches; here both sides move whole sectors, and the turn happens in shared memory.
//
// A row of the tile is 33 elements long, so that a column of 32 elements lies in 32 banks (for
// elements of 4 bytes; 8-byte elements take two turns, those of 2 bytes one and a half).
// Threads: 32 x 8, four elements each. Shared memory: 33 x 32 elements, at most 8.25 KiB.
// Bytes: input and output once. H200: 3.2 TB/s in f32 (0.75 to 1.16 of a
// copy), 1.8 in bf16 (0.43).
#include <cstdlib>

#include "kernels/elementwise/layout.h"

namespace strata::gpu::elementwise {

inline constexpr int tile = 32, tile_rows = 8;

// out[j][i] from in[j][i]: i (across) is dense in out, j (down) in in.
struct Turn {
  int64_t across, down;         // sizes
  int64_t out_down, in_across;  // the strides that are not 1
  int outer_rank;               // the other axes, innermost first
  Divisor outer[cpu::max_axes];
  int64_t out_stride[cpu::max_axes], in_stride[cpu::max_axes];
};

template <class B>
__global__ __launch_bounds__(tile* tile_rows) void transpose_kernel(const B* in, B* out,
                                                                    Turn turn) {
  struct Tile {
    B element[tile][tile + 1];
  };
  Tile& shared = block_shared<Tile>();
  for (uint32_t axis = 0, rest = blockIdx.z; axis < static_cast<uint32_t>(turn.outer_rank);
       ++axis) {
    const uint32_t next = turn.outer[axis].divide(rest);
    const int64_t place = rest - next * turn.outer[axis].value;
    in += place * turn.in_stride[axis];
    out += place * turn.out_stride[axis];
    rest = next;
  }
  const int64_t i0 = int64_t{blockIdx.x} * tile, j0 = int64_t{blockIdx.y} * tile;
  const int x = static_cast<int>(threadIdx.x), y = static_cast<int>(threadIdx.y);
  for (int row = y; row < tile; row += tile_rows)
    if (i0 + row < turn.across && j0 + x < turn.down)
      shared.element[row][x] = in[(i0 + row) * turn.in_across + j0 + x];
  __syncthreads();
  for (int row = y; row < tile; row += tile_rows)
    if (j0 + row < turn.down && i0 + x < turn.across)
      out[(j0 + row) * turn.out_down + i0 + x] = shared.element[x][row];
}

namespace {

// The axis along which the input is dense, if that is not the innermost one and both are worth a
// tile; else -1.
int dense_axis(const cpu::ElementwiseArgs& args) {
  const int inner = args.rank - 1;
  if (args.strides[0][inner] != 1 || std::abs(args.strides[1][inner]) < 8) return -1;
  if (args.sizes[inner] < 8) return -1;
  int64_t outer = 1, found = -1;
  for (int axis = 0; axis < inner; ++axis) {
    if (args.strides[1][axis] == 1 && args.sizes[axis] >= 8)
      found = axis;
    else
      outer *= args.sizes[axis];
  }
  const int64_t limit = 65535;  // blocks along y and z
  if (found < 0 || outer > limit || args.sizes[found] > limit * tile) return -1;
  return static_cast<int>(found);
}

}  // namespace

bool transposes(const Work& work) {
  return work.kind == Kind::move && work.args.rank >= 2 && dense_axis(work.args) >= 0;
}

void transpose(const Work& work) {
  const cpu::ElementwiseArgs& args = work.args;
  const int inner = args.rank - 1, dense = dense_axis(args);
  Turn turn{args.sizes[inner],
            args.sizes[dense],
            args.strides[0][dense],
            args.strides[1][inner],
            0,
            {},
            {},
            {}};
  unsigned outer = 1;
  for (int axis = inner - 1; axis >= 0; --axis) {
    if (axis == dense) continue;
    turn.outer[turn.outer_rank] = Divisor(static_cast<uint32_t>(args.sizes[axis]));
    turn.out_stride[turn.outer_rank] = args.strides[0][axis];
    turn.in_stride[turn.outer_rank++] = args.strides[1][axis];
    outer *= static_cast<unsigned>(args.sizes[axis]);
  }
  visit_bits(args.dtype[0], [&]<class B>(Type<B>) {
    launch<transpose_kernel<B>>(
        {.grid = {divide_up(turn.across, tile), divide_up(turn.down, tile), outer},
         .block = {tile, tile_rows}},
        static_cast<const B*>(args.data[1]), static_cast<B*>(args.data[0]), turn);
  });
}

}  // namespace strata::gpu::elementwise
