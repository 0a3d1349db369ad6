// The list of the Hopper rungs, and products of fp8.
#include "kernels/gemm/hopper.h"

#include <fmt/format.h>

#include "kernels/gpu/runtime.h"

namespace strata::gpu {

std::span<const GemmRung> hopper_gemm_rungs() {
  using namespace gemm_ladder;
  static const GemmRung rungs[] = {tma_wgmma,      warp_specialised, two_consumers, persistent,
                                   ping_pong,      cluster,          tma_store,     tf32_tma_store,
                                   hopper_split_k, hopper_skinny,    repacked};
  return rungs;
}

// Not where K is so much longer than N that the parts a cluster has leave most of the device idle.
bool streams_weights(const GemmArguments& g) {
  constexpr int64_t tile = 128;
  return g.M > 1 && g.N >= tile && g.K <= 32 * g.N && gemm_ladder::hopper_skinny.supports(g);
}

const GemmRung* hopper_choice(const GemmArguments& g) {
  using namespace gemm_ladder;
  if (streams_weights(g)) return &hopper_skinny;
  for (const GemmRung* rung :
       {&hopper_split_k, &tma_store, &cluster, &tf32_tma_store, &warp_specialised})
    if (rung->supports(g)) return rung;
  return nullptr;
}

void gemm_fp8(const GemmArguments& g) {
  if (g.M == 0 || g.N == 0 || batch_count(g) == 0) return;
  if (!gemm_ladder::fp8_tma_store.supports(g))
    throw Error(fmt::format(
        "gemm_fp8: [{}, {}] x [{}, {}] to {} on {}: it needs an sm_90 device, C of bf16, f16 or "
        "f32, at least one element along K, a and b contiguous along K (a_column = 1, b_row = 1) "
        "with their other strides ({}, {}) and addresses multiples of 16, and C's rows and address "
        "multiples of 16 bytes",
        g.M, g.K, g.K, g.N, name_of(g.dtype), device().name, g.a_row, g.b_column));
  gemm_ladder::fp8_tma_store.run(g);
}

}  // namespace strata::gpu
