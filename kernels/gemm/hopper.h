// The Hopper (sm_90a) rungs of the ladder of products: see HOPPER.md.
#pragma once

#include <span>

#include "kernels/gemm/rung.h"

namespace strata::gpu {

// In the order of the ladder. They take what the copy engine can read: operands that are contiguous
// along one axis, with addresses and all other strides multiples of 16 bytes.
std::span<const GemmRung> hopper_gemm_rungs();

namespace gemm_ladder {
extern const GemmRung tma_wgmma, warp_specialised, two_consumers, persistent, ping_pong, cluster,
    tma_store, tf32_tma_store, hopper_split_k, hopper_skinny, repacked;
extern const GemmRung fp8_tma_store;  // of gemm_fp8; not in hopper_gemm_rungs()
}  // namespace gemm_ladder

// Whether the product is one of few rows, 2 to 128, with weights that fill a tile of
// 19_hopper_skinny; one row costs ordinary cores no more than its bytes (skinny.cu).
bool streams_weights(const GemmArguments& arguments);

// The rung for this product, by dtype, shape and device (hopper_cost.h); null when no Hopper rung
// takes it.
const GemmRung* hopper_choice(const GemmArguments& arguments);

// C = epilogue(A B) for a and b of fp8_e4m3, both contiguous along K; `dtype` (bf16, f16 or f32) is
// that of C and of what the epilogue reads. The scales of the operands multiply into alpha. Throws
// gpu::Error for what it does not do.
void gemm_fp8(const GemmArguments& arguments);

}  // namespace strata::gpu
