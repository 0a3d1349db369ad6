// Stream-K with the kernel of 16_tma_store: where the tiles of C do not come out in whole waves,
// the steps of K of the last ones are dealt out in equal pieces (Osama et al. 2023, "Stream-K:
// Work-centric parallel decomposition for dense matrix-matrix multiplication on the GPU").
//
// With 66 clusters and 96 pairs of tiles, 16_tma_store works two waves, the second of them half
// empty. Here whole pairs are taken while two waves or more are left; what then is left (up to two
// waves) stands in one line of K steps, of which every cluster gets a piece of the same length.
//
//   line      | pair 0      | pair 1      | pair 2      |      4 clusters: each 3/4 of a pair
//   clusters  | 0       | 1       | 2       | 3         |
//
// A pair belongs to the cluster with its last steps, which adds what the lower clusters have left
// in the workspace and stores C as ever, epilogue and all. So that nobody waits, a cluster takes
// its piece from behind: first the pair that it shares with the next cluster, whose sums it gives
// away, last the one that it finishes itself. It waits, by flags, for lower clusters only, and has
// its number by a ticket: those have started. Sums are added in an order that is always the same.
//
// Bytes: as 16_tma_store, and up to 256 KiB of f32 a cluster written and read once, through L2; a
// memset of 1 KiB. Registers and shared memory: as 16_tma_store, 225 KiB.
#include "kernels/gemm/hopper.h"
#include "kernels/gemm/hopper_stream_k.h"

namespace strata::gpu {
namespace {

template <class Shape>
__global__ void __launch_bounds__(Shape::block_threads, 1)
    stream_k_kernel(const __grid_constant__ TensorMap map_a,
                    const __grid_constant__ TensorMap map_b,
                    const __grid_constant__ TensorMap map_c,
                    const __grid_constant__ Product<typename Shape::Element> product,
                    const __grid_constant__ StreamLine line, uint32_t* flags, float* sums) {
  using Ring = typename Shape::Ring;
  typename Shape::Shared& shared = *dynamic_shared<typename Shape::Shared>();
  Ring& ring = shared.ring;
  const Slots<Shape> slots{flags + 1, sums};
  const int cluster = start_cluster<Shape>(ring, flags);  // the first counts tickets
  const int rank = static_cast<int>(cluster_rank());

  Part part;
  Parts parts(line, cluster);
  Place<Shape::stages> place;
  if (warpgroup() == 0) {
    registers_decrease<40>();
    if (threadIdx.x == 0) {
      while (parts.next(part)) {
        const TilePlace tile = line.order.at(part.pair);
        fill_shared_b(ring, place, &map_a, &map_b, (tile.m * cluster_blocks + rank) * Shape::tile_m,
                      tile.n * Shape::tile_n, batch_of_a(product, tile.batch),
                      batch_of_b(product, tile.batch), part.first, part.steps);
      }
    }
  } else {
    registers_increase<232>();
    const int me = warpgroup() - 1;
    float d[1][Shape::tile_n / 2];
    while (parts.next(part)) {
      multiply(d, ring, place, 64 * me, part.steps,
               [&](int stage) { release_to_cluster(ring, stage); });
      if (!part.last) {
        slots.give(d[0], cluster, me);
        continue;
      }
      if (part.first > 0)
        slots.take(d[0], line.cluster_at(int64_t{part.pair - line.whole} * line.steps), cluster,
                   me);
      const TilePlace tile = line.order.at(part.pair);
      const BoxedStore<Shape> store{product,
                                    &map_c,
                                    shared.c[me],
                                    (tile.m * cluster_blocks + rank) * Shape::tile_m + 64 * me,
                                    tile.n * Shape::tile_n,
                                    tile.batch};
      store(d[0]);
    }
    if (thread_of_warpgroup() == 0) bulk_wait_read<0>();  // shared memory ends with the block
  }
  __syncwarp();  // single threads join their warps again
  cluster_sync();
}

struct StreamK {
  template <class T, Major OrderA, Major OrderB>
  static void launch(const HopperProduct& product) {
    using Shape = TmaStoreShape<T, T, 128, 256, 4, OrderA, OrderB>;
    launch_stream_k<Shape, stream_k_kernel<Shape>>(product);
  }
};
bool supports(const GemmArguments& arguments) {
  return supports_16_bit(arguments) && tma_stores(arguments);
}

}  // namespace

namespace gemm_ladder {
const GemmRung hopper_stream_k{"20_hopper_stream_k", "the last tiles' K in equal pieces", supports,
                               run_16_bit<StreamK>};
}

}  // namespace strata::gpu
