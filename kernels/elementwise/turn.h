// Copies that turn two axes: one dense in the input, another in the output. What rungs 3 and 4 have
// in common.
#pragma once

#include <cstdlib>

#include "kernels/elementwise/layout.h"

namespace strata::gpu::elementwise {

// out[j][i] from in[j][i]: i (across) is dense in out, j (down) in in.
struct Turn {
  int64_t across, down;         // sizes
  int64_t out_down, in_across;  // the strides that are not 1
  unsigned planes;              // of the other axes
  int outer_rank;               // these axes, innermost first
  Divisor outer[cpu::max_axes];
  int64_t out_stride[cpu::max_axes], in_stride[cpu::max_axes];
};
inline constexpr int64_t most_blocks = 65535;  // along y and z

// The axis along which the input is dense, if that is not the innermost one and both are worth a
// tile; else -1.
inline int dense_axis(const cpu::ElementwiseArgs& args) {
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
  return outer > most_blocks ? -1 : static_cast<int>(found);
}

// For args that have a dense axis.
inline Turn turn_of(const cpu::ElementwiseArgs& args) {
  const int inner = args.rank - 1, dense = dense_axis(args);
  Turn turn{args.sizes[inner],
            args.sizes[dense],
            args.strides[0][dense],
            args.strides[1][inner],
            1,
            0,
            {},
            {},
            {}};
  for (int axis = inner - 1; axis >= 0; --axis) {
    if (axis == dense) continue;
    turn.outer[turn.outer_rank] = Divisor(static_cast<uint32_t>(args.sizes[axis]));
    turn.out_stride[turn.outer_rank] = args.strides[0][axis];
    turn.in_stride[turn.outer_rank++] = args.strides[1][axis];
    turn.planes *= static_cast<unsigned>(args.sizes[axis]);
  }
  return turn;
}

// Moves the pointers to the plane's first element.
template <class B>
DEVICE void to_plane(const Turn& turn, uint32_t plane, const B*& in, B*& out) {
  for (int axis = 0; axis < turn.outer_rank; ++axis) {
    const uint32_t next = turn.outer[axis].divide(plane);
    const int64_t place = plane - next * turn.outer[axis].value;
    in += place * turn.in_stride[axis];
    out += place * turn.out_stride[axis];
    plane = next;
  }
}

}  // namespace strata::gpu::elementwise
