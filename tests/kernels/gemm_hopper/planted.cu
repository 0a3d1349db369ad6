// Kernels with mistakes that people make; planted_test.cpp says how each is found. For the
// simulator alone: on a GPU they would hang or read what they should not.
#ifndef __CUDACC__
#include "tests/kernels/gemm_hopper/planted.h"

#include "kernels/gemm/hopper_epilogue.h"
#include "kernels/gemm/hopper_launch.h"
#include "kernels/gemm/hopper_pipeline.h"

namespace strata::test {
namespace {

using namespace gpu;

constexpr int tile_m = 128, tile_n = 128, stages = 2, consumers = 2;
constexpr int block_threads = (1 + consumers) * warpgroup_threads;
using A = OperandTile<bf16, tile_m>;
using B = OperandTile<bf16, tile_n>;
using PlantedRing = StageRing<A, B, stages>;

// multiply_stage with descriptors for another swizzle than the tiles have.
DEVICE void multiply_unswizzled(float (&d)[tile_n / 2], const unsigned char* a, int row,
                                const unsigned char* b, bool accumulate) {
  wgmma_fence();
#pragma unroll
  for (int p = 0; p < A::products; ++p)
    wgmma<tile_n, bf16>(
        d, descriptor_advance(wgmma_descriptor(a + row * 128, Swizzle::b64, 16, 1024), p * 32u),
        descriptor_advance(wgmma_descriptor(b, Swizzle::b64, 16, 1024), p * 32u),
        accumulate || p > 0);
  wgmma_commit();
}

template <Planted Mistake>
__global__ void __launch_bounds__(block_threads, 1)
    planted_kernel(const __grid_constant__ TensorMap map_a, const __grid_constant__ TensorMap map_b,
                   const __grid_constant__ Product<bf16> product) {
  PlantedRing& ring = *dynamic_shared<PlantedRing>();
  const int row = static_cast<int>(blockIdx.x) * tile_m,
            column = static_cast<int>(blockIdx.y) * tile_n;
  const int steps = (product.K + A::depth - 1) / A::depth;
  if (threadIdx.x == 0) initialise(ring, consumers);
  __syncthreads();

  Place<stages> place;
  if (warpgroup() == 0) {
    if (threadIdx.x != 0) return;
    for (int step = 0; step < steps; ++step, place.advance()) {
      uint64_t* full = &ring.full[place.stage];
      if (Mistake != Planted::no_empty_wait)
        mbarrier_wait(&ring.empty[place.stage], place.parity ^ 1);
      mbarrier_expect(full, A::bytes + B::bytes + (Mistake == Planted::too_many_bytes ? 16 : 0));
      A::load(ring.a[place.stage], &map_a, row, step * A::depth, 0, full);
      B::load(ring.b[place.stage], &map_b, column, step * A::depth, 0, full);
    }
  } else {
    const int rows = 64 * (warpgroup() - 1);
    float d[1][tile_n / 2];
    for (int step = 0; step < steps; ++step, place.advance()) {
      if (Mistake != Planted::no_full_wait) mbarrier_wait(&ring.full[place.stage], place.parity);
      if (Mistake == Planted::wrong_swizzle)
        multiply_unswizzled(d[0], ring.a[place.stage], rows, ring.b[place.stage], step > 0);
      else
        multiply_stage<A, B>(d, ring.a[place.stage], Mistake == Planted::wrong_rows ? 0 : rows,
                             ring.b[place.stage], step > 0);
      const bool leader = thread_of_warpgroup() == 0;
      if (Mistake == Planted::early_release && leader) mbarrier_arrive(&ring.empty[place.stage]);
      if (Mistake != Planted::no_products_wait || step + 1 < steps) wgmma_wait<0>();
      if (Mistake != Planted::early_release && leader) mbarrier_arrive(&ring.empty[place.stage]);
    }
    store_rows(product, d, row + rows, column, 0);
  }
}

// 14_ping_pong with one block, without its turns.
__global__ void __launch_bounds__(block_threads, 1)
    no_turns_kernel(const __grid_constant__ TensorMap map_a,
                    const __grid_constant__ TensorMap map_b,
                    const __grid_constant__ Product<bf16> product) {
  PlantedRing& ring = *dynamic_shared<PlantedRing>();
  const int steps = (product.K + A::depth - 1) / A::depth,
            tiles = (product.N + tile_n - 1) / tile_n;
  if (threadIdx.x == 0) initialise(ring, 1);
  __syncthreads();

  Place<stages> place;
  if (warpgroup() == 0) {
    if (threadIdx.x != 0) return;
    for (int tile = 0; tile < tiles; ++tile)
      fill(ring, place, &map_a, &map_b, 0, tile * tile_n, 0, 0, steps);
  } else {
    const int me = warpgroup() - 1;
    float d[tile_m / 64][tile_n / 2];
    place.advance(me * steps);
    for (int tile = me; tile < tiles; tile += consumers) {
      multiply(d, ring, place, 0, steps, [&](int stage) {
        if (thread_of_warpgroup() == 0) mbarrier_arrive(&ring.empty[stage]);
      });
      store_rows(product, d, 0, tile * tile_n, 0);
      place.advance(steps);
    }
  }
}

template <Planted Mistake>
void run(const HopperProduct& product) {
  const GemmArguments& g = product.arguments;
  launch<planted_kernel<Mistake>>({.grid = dim3(divide_up(g.M, tile_m), divide_up(g.N, tile_n)),
                                   .block = block_threads,
                                   .shared = sizeof(PlantedRing)},
                                  product.a.map<A>(), product.b.map<B>(), make_product<bf16>(g));
}

}  // namespace

void run_planted(Planted mistake, const GemmArguments& arguments) {
  for_each_product(arguments, 2, [&](const HopperProduct& product) {
    switch (mistake) {
      case Planted::none:
        return run<Planted::none>(product);
      case Planted::no_full_wait:
        return run<Planted::no_full_wait>(product);
      case Planted::no_empty_wait:
        return run<Planted::no_empty_wait>(product);
      case Planted::early_release:
        return run<Planted::early_release>(product);
      case Planted::no_products_wait:
        return run<Planted::no_products_wait>(product);
      case Planted::too_many_bytes:
        return run<Planted::too_many_bytes>(product);
      case Planted::wrong_swizzle:
        return run<Planted::wrong_swizzle>(product);
      case Planted::wrong_rows:
        return run<Planted::wrong_rows>(product);
      case Planted::no_turns:
        return launch<no_turns_kernel>({.block = block_threads, .shared = sizeof(PlantedRing)},
                                       product.a.map<A>(), product.b.map<B>(),
                                       make_product<bf16>(product.arguments));
    }
  });
}

}  // namespace strata::test
#endif
