// The list of the Hopper rungs.
#include "kernels/gemm/hopper.h"

namespace strata::gpu {

std::span<const GemmRung> hopper_gemm_rungs() {
  using namespace gemm_ladder;
  static const GemmRung rungs[] = {tma_wgmma, warp_specialised, two_consumers, persistent,
                                   ping_pong, cluster,          tma_store,     tf32_tma_store};
  return rungs;
}

}  // namespace strata::gpu
