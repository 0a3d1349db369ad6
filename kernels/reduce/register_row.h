// Which threads hold a row in registers: a warp, or a block of 256 or 512, each thread 1, 2 or 4
// chunks of 16 bytes. with_register_row<T>(chunks, f) calls f<Group, Vectors>() with the smallest
// that holds `chunks`, and returns whether there is one.
#pragma once

#include "kernels/reduce/block_reduce.h"
#include "kernels/reduce/row.h"

namespace strata::gpu {

inline constexpr int64_t most_register_chunks = 2048;

template <class F>
bool with_register_row(int64_t chunks, F&& f) {
  if (chunks <= 32)
    f.template operator()<WarpGroup, 1>();
  else if (chunks <= 64)
    f.template operator()<WarpGroup, 2>();
  else if (chunks <= 128)
    f.template operator()<WarpGroup, 4>();
  else if (chunks <= 512)
    f.template operator()<BlockGroup<256>, 2>();
  else if (chunks <= 1024)
    f.template operator()<BlockGroup<256>, 4>();
  else if (chunks <= most_register_chunks)
    f.template operator()<BlockGroup<512>, 4>();
  else
    return false;
  return true;
}

template <class Group>
LaunchConfig register_row_launch(int64_t rows) {
  return {.grid = row_blocks(rows, Group::groups_per_block, Group::block_threads),
          .block = Group::block_threads};
}

}  // namespace strata::gpu
