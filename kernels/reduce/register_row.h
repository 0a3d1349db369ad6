// Which threads hold a row in registers: a warp, or a block of 128 to 512, each thread 1, 2 or 4
// chunks of 16 bytes. with_register_row(chunks, f) calls f<Group, Vectors>() with the smallest that
// holds `chunks`; with_register_row<1024> leaves out those of 4 chunks a thread, for kernels whose
// threads need registers for more than the row.
#pragma once

#include "kernels/reduce/block_reduce.h"
#include "kernels/reduce/row.h"

namespace strata::gpu {

inline constexpr int64_t most_register_chunks = 2048;

template <int64_t most = most_register_chunks, class F>
void with_register_row(int64_t chunks, F&& f) {
  if (chunks <= 32) return f.template operator()<WarpGroup, 1>();
  if (chunks <= 64) return f.template operator()<WarpGroup, 2>();
  if (chunks <= 128) return f.template operator()<BlockGroup<128>, 1>();
  if (chunks <= 512) return f.template operator()<BlockGroup<256>, 2>();
  if (chunks <= 1024) return f.template operator()<BlockGroup<512>, 2>();
  if constexpr (most > 1024) f.template operator()<BlockGroup<512>, 4>();
}

template <class Group>
LaunchConfig register_row_launch(int64_t rows) {
  return {.grid = row_blocks(rows, Group::groups_per_block, Group::block_threads),
          .block = Group::block_threads};
}

}  // namespace strata::gpu
