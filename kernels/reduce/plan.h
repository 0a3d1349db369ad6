// How a reduction walks its input: axes that stay and axes that go, each sorted so that the one
// nearest in memory is innermost, neighbours merged. Two ways to walk:
//
//   columns  the innermost axis that stays is nearest: a tile of `width` outputs is kept in L1 and
//            rows are added to it (bias gradients, batch-norm statistics: sum over all but C)
//   rows     the innermost axis that goes is nearest: each output is the sum of runs
//
// Rows narrower than a few vectors that follow each other in memory are taken `widen` at a time.
#pragma once

#include <cstdint>

#include "kernels/reduce/reduce.h"

namespace strata::cpu {

struct Loop {
  int64_t size, stride, out_stride;
};

struct ReducePlan {
  Loop kept[max_reduce_rank];
  Loop reduced[max_reduce_rank];
  int kept_count = 0, reduced_count = 0;
  int64_t first = 0;    // offset of the first element (negative strides are turned around)
  int64_t outputs = 1;  // product of the kept sizes
  int64_t length = 1;   // product of the reduced sizes: terms of one output
  bool columns = false;
  int64_t width = 1;   // columns: outputs of a tile
  int64_t tiles = 1;   // columns: tiles along the innermost kept axis
  int64_t widen = 1;   // columns: rows taken at a time
  int64_t groups = 1;  // independent pieces of output: outer outputs x tiles
  int64_t chunk = 1;   // terms of a partial result
  int64_t chunks = 1;  // partial results of a group
};

inline constexpr int64_t max_reduce_width = 1024;

ReducePlan make_reduce_plan(const ReduceArgs& args);

// The lines of an array along one axis: where each starts in x and in out.
struct Lines {
  Loop loops[max_reduce_rank];  // over the other axes, the nearest in memory innermost
  int loop_count = 0;
  int64_t count = 1;                   // how many lines
  int64_t size = 1;                    // elements of a line
  int64_t stride = 1, out_stride = 1;  // between elements of a line
};
// `out_strides` has an entry for each axis of x (0 along `axis` where out has no such axis).
Lines make_lines(int rank, const int64_t* shape, const int64_t* strides, const int64_t* out_strides,
                 int axis);

// Offsets into x and out of the flat index `i` over the first `count` loops.
struct Offsets {
  int64_t x = 0, out = 0;
};
inline Offsets offsets_at(const Loop* loops, int count, int64_t i) {
  Offsets at;
  for (int l = count - 1; l >= 0; --l) {
    int64_t index = l > 0 ? i % loops[l].size : i;  // no division for a single loop
    if (l > 0) i /= loops[l].size;
    at.x += index * loops[l].stride;
    at.out += index * loops[l].out_stride;
  }
  return at;
}

}  // namespace strata::cpu
