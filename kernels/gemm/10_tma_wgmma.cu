// Hopper's two engines, one after the other: the copy engine (TMA) brings a tile of A and one of B
// into shared memory, the tensor cores of a warpgroup (wgmma) multiply them from there.
//
// Against 08_tensor_core and 09_pipelined, where 256 threads issue loads of 16 bytes and feed
// registers to mma: one thread issues a copy of a whole tile, no address is computed by anybody
// else, edges are filled with zeros by the engine, the swizzle is part of the map, and operands
// never pass through registers. Here the two engines still take turns: while a tile comes, nothing
// is multiplied.
//
// Tile of C: 128 x 128, one warpgroup, each thread 128 sums. A step of K is 64 elements (128 bytes
// a row): 32 KiB come in, 2 x 128 x 128 x 64 operations are done: 64 operations a byte from L2.
// Registers (ptxas, sm_90a): 186, no spills. Shared memory: 33 KiB.
// H200, 4096³ bf16: 449 TFLOP/s, 0.68 of cuBLAS.
#include "kernels/gemm/hopper.h"
#include "kernels/gemm/hopper_epilogue.h"
#include "kernels/gemm/hopper_launch.h"
#include "kernels/gemm/hopper_pipeline.h"

namespace strata::gpu {
namespace {

constexpr int tile_m = 128, tile_n = 128;

template <class A, class B>
struct TmaWgmmaShared {
  alignas(1024) unsigned char a[A::bytes];
  alignas(1024) unsigned char b[B::bytes];
  uint64_t full;
};

template <class T, Major OrderA, Major OrderB>
__global__ void __launch_bounds__(warpgroup_threads)
    tma_wgmma_kernel(const __grid_constant__ TensorMap map_a,
                     const __grid_constant__ TensorMap map_b,
                     const __grid_constant__ Product<T> product) {
  using A = OperandTile<T, tile_m, OrderA>;
  using B = OperandTile<T, tile_n, OrderB>;
  using Shared = TmaWgmmaShared<A, B>;
  Shared& shared = *dynamic_shared<Shared>();
  const int row = static_cast<int>(blockIdx.x) * tile_m,
            column = static_cast<int>(blockIdx.y) * tile_n, batch = static_cast<int>(blockIdx.z);

  if (threadIdx.x == 0) {
    mbarrier_init(&shared.full, 1);
    mbarrier_fence_init();
  }
  __syncthreads();

  float d[tile_m / 64][tile_n / 2];
  unsigned parity = 0;
  for (int k = 0; k < product.K; k += A::depth) {
    if (threadIdx.x == 0) {
      mbarrier_expect(&shared.full, A::bytes + B::bytes);
      A::load(shared.a, &map_a, row, k, batch_of_a(product, batch), &shared.full);
      B::load(shared.b, &map_b, column, k, batch_of_b(product, batch), &shared.full);
    }
    mbarrier_wait(&shared.full, parity);
    parity ^= 1;
    multiply_stage<A, B>(d, shared.a, 0, shared.b, k > 0);
    wgmma_wait<0>();
    __syncthreads();  // all four warps have read the tiles, which may now be overwritten
  }
  store_rows(product, d, row, column, batch);
}

struct TmaWgmma {
  template <class T, Major OrderA, Major OrderB>
  static void launch(const HopperProduct& product) {
    using A = OperandTile<T, tile_m, OrderA>;
    using B = OperandTile<T, tile_n, OrderB>;
    const GemmArguments& g = product.arguments;
    gpu::launch<tma_wgmma_kernel<T, OrderA, OrderB>>(
        {.grid = dim3(divide_up(g.M, tile_m), divide_up(g.N, tile_n),
                      static_cast<unsigned>(product.batches)),
         .block = warpgroup_threads,
         .shared = sizeof(TmaWgmmaShared<A, B>)},
        product.a.map<A>(), product.b.map<B>(), make_product<T>(g));
  }
};

}  // namespace

namespace gemm_ladder {
const GemmRung tma_wgmma{"10_tma_wgmma", "copies by TMA, products by wgmma, one after the other",
                         supports_16_bit, run_16_bit<TmaWgmma>};
}

}  // namespace strata::gpu
