// Rung 3, for copies that turn two axes: read a 32 x 32 tile along the axis that is dense in the
// input, write it along the one that is dense in the output. Rung 1 would read one element of every
// sector it fetches; here both sides move whole sectors, and the turn happens in shared memory.
//
// A row of the tile is 33 elements long, so that a column of 32 elements lies in 32 banks (for
// elements of 4 bytes; 8-byte elements take two turns, those of 2 bytes one and a half).
// Threads: 32 x 8, four elements each. Shared memory: 33 x 32 elements, at most 8.25 KiB.
// Bytes: input and output once. H200: 3.2 TB/s in f32 (0.75 of a
// copy), 1.8 in bf16 (0.43).
#include "kernels/elementwise/turn.h"

namespace strata::gpu::elementwise {

inline constexpr int tile = 32, tile_rows = 8;

template <class B>
__global__ __launch_bounds__(tile* tile_rows) void transpose_kernel(const B* in, B* out,
                                                                    Turn turn) {
  struct Tile {
    B element[tile][tile + 1];
  };
  Tile& shared = block_shared<Tile>();
  to_plane(turn, blockIdx.z, in, out);
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

bool transposes(const Work& work) {
  if (work.kind != Kind::move || work.args.rank < 2) return false;
  const int dense = dense_axis(work.args);
  return dense >= 0 && work.args.sizes[dense] <= most_blocks * tile;
}

void transpose(const Work& work) {
  const cpu::ElementwiseArgs& args = work.args;
  const Turn turn = turn_of(args);
  visit_bits(args.dtype[0], [&]<class B>(Type<B>) {
    launch<transpose_kernel<B>>(
        {.grid = {divide_up(turn.across, tile), divide_up(turn.down, tile), turn.planes},
         .block = {tile, tile_rows}},
        static_cast<const B*>(args.data[1]), static_cast<B*>(args.data[0]), turn);
  });
}

}  // namespace strata::gpu::elementwise
