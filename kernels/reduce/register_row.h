// Which threads hold a row in registers: a warp, or a block of 128 to 512, each thread 1 to 8
// chunks of 16 bytes. with_register_row(chunks, f) calls f<Group, Vectors>() with the smallest that
// holds `chunks`. A warp needs no barrier, and many chunks a thread are many loads in flight, so
// rows of up to 256 chunks stay with a warp; with_narrow_register_row is for kernels whose threads
// need their registers for more than the row: at most 2 chunks a thread, 1024 a row.
#pragma once

#include "kernels/reduce/block_reduce.h"
#include "kernels/reduce/row.h"

namespace strata::gpu {

inline constexpr int64_t most_register_chunks = 2048;

template <class F>
void with_register_row(int64_t chunks, F&& f) {
  if (chunks <= 32) return f.template operator()<WarpGroup, 1>();
  if (chunks <= 64) return f.template operator()<WarpGroup, 2>();
  if (chunks <= 128) return f.template operator()<WarpGroup, 4>();
  if (chunks <= 256) return f.template operator()<WarpGroup, 8>();
  if (chunks <= 512) return f.template operator()<BlockGroup<128>, 4>();
  if (chunks <= 1024) return f.template operator()<BlockGroup<256>, 4>();
  f.template operator()<BlockGroup<512>, 4>();
}
template <class F>
void with_narrow_register_row(int64_t chunks, F&& f) {
  if (chunks <= 32) return f.template operator()<WarpGroup, 1>();
  if (chunks <= 64) return f.template operator()<WarpGroup, 2>();
  if (chunks <= 128) return f.template operator()<BlockGroup<128>, 1>();
  if (chunks <= 256) return f.template operator()<BlockGroup<128>, 2>();
  if (chunks <= 512) return f.template operator()<BlockGroup<256>, 2>();
  f.template operator()<BlockGroup<512>, 2>();
}

template <class Group>
LaunchConfig register_row_launch(int64_t rows) {
  return {.grid = row_blocks(rows, Group::groups_per_block, Group::block_threads),
          .block = Group::block_threads};
}

}  // namespace strata::gpu
