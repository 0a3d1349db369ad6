// Rung 7: warps own tiles, and the next tiles are fetched while these are multiplied.
//
// What changed: (1) The 128 x 128 elements of a block are cut into tiles of 64 x 32, one a warp, so
// that the lanes of a warp share more of what they read (simt_tile.h). (2) cp.async copies tiles
// from global to shared memory without passing the registers, into the one of two buffers that is
// not being read (ring.h): a multiprocessor no longer waits for memory at each step. (3) Where 16
// bytes cannot be copied at once, 4 are: any strides and addresses will do.
//
// Two sizes of tile: where 128 x 128 would leave multiprocessors idle, 64 x 64.
// Per multiply-add: 1/16 byte of global memory, 3/16 byte of shared memory.
// Registers 128, shared memory 33 and 17 KiB. H200, 4096³ f32: 42 TFLOP/s, 0.84 of cuBLAS.
#include "kernels/gemm/rung.h"
#include "kernels/gemm/simt_tile.h"
#include "kernels/gemm/splits.h"

namespace strata::gpu {
namespace {

constexpr int stages = 2;

template <class Inner>
__global__ void __launch_bounds__(Inner::threads, 512 / Inner::threads)
    gemm_warp_tile_kernel(const __grid_constant__ Product<float> p,
                          const __grid_constant__ Splits splits) {
  multiply_part<Inner, stages>(p, splits);
}

template <class Inner>
void launch_as(const GemmArguments& g, const Splits& splits) {
  launch_parts<gemm_warp_tile_kernel<Inner>, Inner, stages>(g, splits);
}

bool supports(const GemmArguments& g) { return g.dtype == DType::f32; }
void run(const GemmArguments& g) {
  const bool large = tile_count(g, 128, 128) >= static_cast<unsigned>(device().multiprocessors);
  run_warp_tile(g, {}, large ? TileSize{128, 128} : TileSize{64, 64});
}

}  // namespace

void run_warp_tile(const GemmArguments& g, const Splits& splits, TileSize tile) {
  with_simt_copies(g, [&]<bool a, bool b>() {
    if (tile.columns == 128)
      launch_as<SimtTile<a, b, 2, 4, 2, 2>>(g, splits);
    else
      launch_as<SimtTile<a, b, 2, 2, 1, 2>>(g, splits);
  });
}

const GemmRung gemm_ladder::warp_tile = {
    "07_warp_tile", "tiles of warps, double-buffered by cp.async", supports, run};

}  // namespace strata::gpu
