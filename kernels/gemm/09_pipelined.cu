// Rung 9: tensor cores, fed by a ring of tiles.
//
// What changed: cp.async fills a ring of four tiles ahead of the multiplication (ring.h), as at
// rung 7 but deeper: a tile is multiplied in a few hundred clocks, and the way from memory takes a
// thousand. Chunks are permuted in shared memory instead of padded, and operands keep the order
// that they have in global memory: ldmatrix turns them (mma_tile.h). Warps own 64 x 64 elements, so
// a byte of shared memory feeds twice the mma of rung 8. Blocks take the tiles of C in groups, for
// the L2 cache. Sums reach C as whole rows.
//
// Three sizes of tile: 128 x 256 with 8 warps, 128 x 128 and 64 x 64 with 4; the largest that gives
// every multiprocessor a tile. Needs both operands contiguous along an axis, with addresses and
// strides that are multiples of 16 bytes; rung 8 takes the others.
//
// Per tile of 128 x 256 and step of 32 k: 24 KiB of global memory for 2.1 million operations: 85 a
// byte. Registers 230 (tf32 254), shared memory 96, 64 and 32 KiB. H200, 4096³: bf16 325
// TFLOP/s, tf32 142.
#include "kernels/gemm/mma_tile.h"
#include "kernels/gemm/rung.h"
#include "kernels/gemm/splits.h"

namespace strata::gpu {
namespace {

constexpr int stages = 4;

template <class Inner>
__global__ void __launch_bounds__(Inner::threads)
    gemm_pipelined_kernel(const __grid_constant__ Product<typename Inner::Element> p,
                          const __grid_constant__ Splits splits) {
  multiply_part<Inner, stages>(p, splits);
}

template <class Inner>
void launch_as(const GemmArguments& g, const Splits& splits) {
  launch_parts<gemm_pipelined_kernel<Inner>, Inner, stages>(g, splits);
}

template <class T>
void run_as(const GemmArguments& g, const Splits& splits, TileSize tile) {
  with_orders(g, [&]<Order a, Order b>() {
    if (tile.columns == 256)
      launch_as<MmaTile<T, a, b, 2, 4, 4, 8>>(g, splits);
    else if (tile.columns == 128)
      launch_as<MmaTile<T, a, b, 2, 2, 4, 8>>(g, splits);
    else
      launch_as<MmaTile<T, a, b, 2, 2, 2, 4>>(g, splits);
  });
}

bool supports(const GemmArguments& g) {
  const bool type =
      g.dtype == DType::bf16 || g.dtype == DType::f16 || (g.dtype == DType::f32 && g.allow_tf32);
  return device().arch >= 80 && type && has_vectors(g);
}
void run(const GemmArguments& g) {
  const auto enough = static_cast<unsigned>(device().multiprocessors);
  TileSize tile = {64, 64};
  if (tile_count(g, 128, 256) >= enough)
    tile = {128, 256};
  else if (tile_count(g, 128, 128) >= enough)
    tile = {128, 128};
  run_pipelined(g, {}, tile);
}

}  // namespace

void run_pipelined(const GemmArguments& g, const Splits& splits, TileSize tile) {
  if (g.dtype == DType::bf16) return run_as<bf16>(g, splits, tile);
  if (g.dtype == DType::f16) return run_as<f16>(g, splits, tile);
  run_as<float>(g, splits, tile);
}

const GemmRung gemm_ladder::pipelined = {
    "09_pipelined", "tensor cores fed by a ring of tiles, permuted instead of padded", supports,
    run};

}  // namespace strata::gpu
