// The same kernel for the other types of the tensor cores: f32 read as tf32, and fp8.
//
// Against 16_tma_store nothing changes but the types: a line of 128 bytes is 32 tf32 or 128 fp8, a
// wgmma takes 8 or 32 of K. Both must be contiguous along K: wgmma transposes 16-bit operands only.
//
// tf32: half the products a second of bf16, and 64 operations a byte from L2. The low 13 bits of
// the mantissa are ignored (truncation): errors of operands are up to 2^-10. fp8 (e4m3): twice the
// products a second of bf16, 256 operations a byte; scales multiply into alpha. The hardware sums
// fp8 products with fewer bits than f32 has (DeepGEMM counts 14), which the simulator does not
// show: long sums of fp8 on hardware are less exact than here.
//
// A stage is 1024 clocks of the tensor cores at full rate in all three types.
// Registers (ptxas, sm_90a): 168 by launch bounds, 40 and 232 after setmaxnreg, no spills. Shared
// memory: 225 KiB. H200, 4096³ tf32: 343 TFLOP/s, 0.97 of cuBLAS; fp8: 1289, 1.00.
#include "kernels/gemm/hopper_tma_store.h"

namespace strata::gpu {
namespace {

template <class T, class C>
using ShapeOf = TmaStoreShape<T, C, 128, 256, 4, Major::k, Major::k>;

bool supports_tf32(const GemmArguments& arguments) {
  return arguments.dtype == DType::f32 && arguments.allow_tf32 &&
         hopper_reads(arguments, 4, true) && tma_stores(arguments);
}
void run_tf32(const GemmArguments& arguments) {
  for_each_product(arguments, 4, launch_tma_store<ShapeOf<tf32, float>>);
}

bool supports_fp8(const GemmArguments& arguments) {
  return (arguments.dtype == DType::bf16 || arguments.dtype == DType::f16 ||
          arguments.dtype == DType::f32) &&
         hopper_reads(arguments, 1, true) && tma_stores(arguments);
}
void run_fp8(const GemmArguments& arguments) {
  for_each_product(arguments, 1, [](const HopperProduct& product) {
    if (product.arguments.dtype == DType::bf16)
      launch_tma_store<ShapeOf<fp8_e4m3, bf16>>(product);
    else if (product.arguments.dtype == DType::f16)
      launch_tma_store<ShapeOf<fp8_e4m3, f16>>(product);
    else
      launch_tma_store<ShapeOf<fp8_e4m3, float>>(product);
  });
}

}  // namespace

namespace gemm_ladder {
const GemmRung tf32_tma_store{"17_tf32", "the same kernel for f32 operands, read as tf32",
                              supports_tf32, run_tf32};
const GemmRung fp8_tma_store{"17_fp8", "the same kernel for fp8 operands (gemm_fp8)", supports_fp8,
                             run_fp8};
}  // namespace gemm_ladder

}  // namespace strata::gpu
