// The ladder of GPU matrix products: every rung can be run by itself, by name, so that tests, the
// x-ray and benchmarks see each of them; gpu::gemm (gemm.cu) picks one.
#pragma once

#include <span>
#include <string_view>

#include "kernels/gemm/gemm.h"

namespace strata::gpu {

struct GemmRung {
  const char* name;         // "03_shared_tile"
  const char* description;  // its idea in one line
  // Whether it computes this product on device(); sizes of zero are the launcher's business.
  bool (*supports)(const GemmArguments& arguments);
  void (*run)(const GemmArguments& arguments);  // in current_stream()
};

// All rungs in the order of the ladder, Hopper's (hopper.h) included.
std::span<const GemmRung> gemm_rungs();
// By name; throws gpu::Error with the names that there are.
const GemmRung& gemm_rung(std::string_view name);

// The rung that gpu::gemm takes for a product (simplify() has been applied) on device().
const GemmRung& gemm_choice(const GemmArguments& arguments);

namespace gemm_ladder {
extern const GemmRung naive, coalesced, shared_tile, register_tile_1d, register_tile_2d, vectorised,
    warp_tile, tensor_core, pipelined, skinny, split_k, stream_k;
}

}  // namespace strata::gpu
