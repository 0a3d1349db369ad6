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
// Registers 128, shared memory 33 KiB. Measured on hardware: not yet.
#include "kernels/gemm/ring.h"
#include "kernels/gemm/rung.h"
#include "kernels/gemm/simt_tile.h"

namespace strata::gpu {
namespace {

constexpr int stages = 2;

template <class Inner>
__global__ void __launch_bounds__(Inner::threads, 512 / Inner::threads)
    gemm_warp_tile_kernel(const __grid_constant__ Product<float> p) {
  float* ring = dynamic_shared<float>();
  const Tile tile = tile_in_groups<Inner::rows, Inner::columns>(p, blockIdx.x);
  const Matrices<float> m = p.matrices(tile.batch);
  Inner inner;
  multiply_along_k<Inner, stages>(inner, p, m, tile, 0, steps_of<Inner>(p.K), ring);
  inner.store(ToC<float>{p, m.first, tile}, ring);
}

template <class Inner>
void launch_as(const GemmArguments& g) {
  launch_tiles<gemm_warp_tile_kernel<Inner>, float>(g, Inner::rows, Inner::columns, Inner::threads,
                                                    Ring<Inner, stages>::bytes);
}

bool supports(const GemmArguments& g) { return g.dtype == DType::f32; }
void run(const GemmArguments& g) {
  const bool large = tile_count(g, 128, 128) >= static_cast<unsigned>(device().multiprocessors);
  with_simt_copies(g, [&]<bool a, bool b>() {
    if (large)
      launch_as<SimtTile<a, b, 2, 4, 2, 2>>(g);
    else
      launch_as<SimtTile<a, b, 2, 2, 1, 2>>(g);
  });
}

}  // namespace

const GemmRung gemm_ladder::warp_tile = {
    "07_warp_tile", "tiles of warps, double-buffered by cp.async", supports, run};

}  // namespace strata::gpu
