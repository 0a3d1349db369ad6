// Rung 4, for copies that turn two axes whose sizes and strides are whole vectors: no shared
// memory, no barrier. A thread owns a square of W x W elements, W as many as 16 bytes hold: it
// reads W vectors along the axis that is dense in the input, turns the square in its registers and
// writes W vectors along the other. For elements of 4 and 8 bytes the turn is a choice of register
// names; of 2 bytes, one byte permutation a word.
//
// Rung 3 moves an element an instruction, 2 bytes of bf16, and waits at a barrier with four of them
// under way. Here a thread has W loads of 16 bytes under way: 128 bytes in bf16, 64 in f32. Eight
// lanes lie side by side along the input and four along the output, so that a warp reads 128 bytes
// of a row and writes 64; the warps of a block lie along the output, and L2 joins their halves.
//
// Threads: 8 x 4 to 8 x 32. Bytes: input and output once. Registers 22 (8 bytes) to 124 (1 byte).
// H200: 0.90 of a copy in bf16 and f32; NCHW to NHWC 0.94.
#include <bit>

#include "kernels/elementwise/turn.h"

namespace strata::gpu::elementwise {

inline constexpr int lanes_down = 8, lanes_across = 4, most_across = 32;

template <class B>
__global__ __launch_bounds__(lanes_down* most_across,
                             2) void transpose_blocks_kernel(const B* in, B* out, Turn turn) {
  constexpr int W = vector_width<B>;
  to_plane(turn, blockIdx.z, in, out);
  const int64_t i = (int64_t{blockIdx.x} * blockDim.y + threadIdx.y) * W;
  const int64_t j = (int64_t{blockIdx.y} * lanes_down + threadIdx.x) * W;
  if (i >= turn.across || j >= turn.down) return;
  in += i * turn.in_across + j;
  auto* to = reinterpret_cast<Vec<B, W>*>(out + j * turn.out_down + i);
  const int64_t line = turn.out_down / W;  // in vectors: else nvcc forgets that lines are aligned
  Vec<B, W> square[W];
#pragma unroll
  for (int r = 0; r < W; ++r) square[r] = load_vector<W>(in + r * turn.in_across);
#pragma unroll
  for (int c = 0; c < W; ++c) {
    Vec<B, W> column;
#pragma unroll
    for (int r = 0; r < W; ++r) column[r] = square[r][c];
    to[c * line] = column;
  }
}

bool transposes_blocks(const Work& work) {
  if (!transposes(work)) return false;
  const cpu::ElementwiseArgs& args = work.args;
  const int64_t W = 16 / static_cast<int64_t>(size_of(args.dtype[0]));
  const int inner = args.rank - 1, dense = dense_axis(args);
  bool whole = args.sizes[inner] % W == 0 && args.sizes[dense] % W == 0 &&
               args.sizes[dense] <= most_blocks * lanes_down * W;
  for (int k = 0; k < 2; ++k) {
    whole &= reinterpret_cast<uintptr_t>(args.data[k]) % 16 == 0;
    for (int axis = 0; axis < args.rank; ++axis)
      whole &= axis == (k == 0 ? inner : dense) || args.strides[k][axis] % W == 0;
  }
  return whole;
}

void transpose_blocks(const Work& work) {
  const cpu::ElementwiseArgs& args = work.args;
  const Turn turn = turn_of(args);
  visit_bits(args.dtype[0], [&]<class B>(Type<B>) {
    constexpr int W = vector_width<B>;
    const auto squares = static_cast<uint64_t>(turn.across / W);
    const int across =
        static_cast<int>(std::clamp<uint64_t>(std::bit_ceil(squares), lanes_across, most_across));
    launch<transpose_blocks_kernel<B>>({.grid = {divide_up(turn.across, across * W),
                                                 divide_up(turn.down, lanes_down * W), turn.planes},
                                        .block = {lanes_down, static_cast<unsigned>(across)}},
                                       static_cast<const B*>(args.data[1]),
                                       static_cast<B*>(args.data[0]), turn);
  });
}

}  // namespace strata::gpu::elementwise
