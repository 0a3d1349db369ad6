// The kernel of 12_two_consumers, with one mistake.
#pragma once

#include "kernels/gemm/gemm.h"

namespace strata::test {

enum class Planted {
  none,
  no_full_wait,      // multiplies without waiting for the copies
  no_empty_wait,     // copies into a stage that is still being multiplied
  early_release,     // says that a stage is free before wgmma_wait
  no_products_wait,  // stores the sums before wgmma_wait
  too_many_bytes,    // expects more bytes than the copies bring
  wrong_swizzle,     // the descriptor says 64 bytes, the map 128
  wrong_rows,        // the second consumer reads the first one's rows
  no_turns           // ping-pong without the turns
};

// bf16, K-major operands, no epilogue.
void run_planted(Planted mistake, const GemmArguments& arguments);

}  // namespace strata::test
