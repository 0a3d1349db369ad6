// The kernel of 16_tma_store, for every type that the tensor cores take: 17_tf32_fp8 has further
// instances. See 16_tma_store.cu for the idea, 15_cluster.cu for the cluster.
#pragma once

#include "kernels/gemm/hopper.h"
#include "kernels/gemm/hopper_cluster.h"
#include "kernels/gemm/hopper_epilogue.h"
#include "kernels/gemm/hopper_launch.h"
#include "kernels/gemm/hopper_schedule.h"

namespace strata::gpu {

// T: type of A and B; C: of C and what the epilogue reads.
template <class T, class C, int TileM, int TileN, int Stages, Major OrderA, Major OrderB>
struct TmaStoreShape {
  using A = OperandTile<T, TileM, OrderA>;
  using B = OperandTile<T, TileN, OrderB, TileN / cluster_blocks>;
  using Ring = StageRing<A, B, Stages>;
  using Element = C;
  static constexpr int tile_m = TileM, tile_n = TileN, stages = Stages;
  static constexpr int consumers = TileM / 64;
  static constexpr int block_threads = (1 + consumers) * warpgroup_threads;

  // A warpgroup's 64 rows of C lie in boxes of 128 bytes by 64 rows, as the copy engine takes them.
  static constexpr int box_columns = 128 / static_cast<int>(sizeof(C));
  static constexpr int boxes = TileN / box_columns;
  static constexpr int box_bytes = 64 * 128;
  struct Shared {
    Ring ring;
    alignas(1024) unsigned char c[consumers][boxes * box_bytes];
  };

  static TensorMap map_c(const HopperProduct& product) {
    const GemmArguments& g = product.arguments;
    return tensor_map(dtype_of<C>(), g.c, {g.N, g.M, product.batches}, {g.N, g.M * g.N},
                      {box_columns, 64, 1}, Swizzle::b128);
  }
};

// Where 16-byte chunk `chunk` of row `row` lies in the boxes of a warpgroup.
DEVICE unsigned char* c_chunk(unsigned char* c, int row, int chunk) {
  const int box = chunk / 8, in_line = chunk % 8;
  return c + box * 64 * 128 + row * 128 + (in_line ^ row % 8) * 16;
}

// A slice of 16 columns into the boxes: four 8x8 matrices, for 16-bit elements by one stmatrix.
// pairs[2j + h] is at row 8h + lane / 4 of the warp, column 8j + 2 (lane % 4) of the slice.
template <class C>
DEVICE void stage_slice(unsigned char* c, int slice, const Vec<C, 2> (&pairs)[4]) {
  const int warp_row = thread_of_warpgroup() / 32 * 16, lane = thread_of_warpgroup() % 32;
  if constexpr (sizeof(C) == 2) {
    uint32_t packed[4];
#pragma unroll
    for (int i = 0; i < 4; ++i)
      packed[i] = static_cast<uint32_t>(pairs[i].data[0].bits) |
                  static_cast<uint32_t>(pairs[i].data[1].bits) << 16;
    const int matrix = lane / 8;  // this lane names one of its rows
    stmatrix<4>(c_chunk(c, warp_row + matrix % 2 * 8 + lane % 8, slice * 2 + matrix / 2), packed);
  } else {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int byte = (slice * slice_columns + i / 2 * 8 + lane % 4 * 2) * 4;
      unsigned char* chunk = c_chunk(c, warp_row + i % 2 * 8 + lane / 4, byte / 16);
      store_vector(reinterpret_cast<C*>(chunk + byte % 16), pairs[i]);
    }
  }
}

// Finishes the warpgroup's sums and leaves them in shared memory.
template <class C, int Half>
DEVICE void stage_rows(const Product<C>& product, unsigned char* c, const float (&d)[Half], int row,
                       int column, int batch) {
  row += fragment_row();
  column += fragment_column();
  for_each_slice(
      product, d,
      [&](int slice, const ProductEpilogue<C>& epilogue, const float(&sums)[slice_sums]) {
        Vec<C, 2> pairs[4]{};
#pragma unroll
        for (int i = 0; i < 4; ++i) {
          const int r = row + i % 2 * 8, k = column + slice * slice_columns + i / 2 * 8;
          if (r < product.M && k < product.N)
            pairs[i] = finish(product, epilogue, {sums[2 * i], sums[2 * i + 1]}, k,
                              (static_cast<int64_t>(batch) * product.M + r) * product.N + k);
        }
        stage_slice<C>(c, slice, pairs);
      });
}

template <class Shape>
__global__ void __launch_bounds__(Shape::block_threads, 1)
    tma_store_kernel(const __grid_constant__ TensorMap map_a,
                     const __grid_constant__ TensorMap map_b,
                     const __grid_constant__ TensorMap map_c,
                     const __grid_constant__ Product<typename Shape::Element> product,
                     const __grid_constant__ TileOrder order) {
  using Ring = typename Shape::Ring;
  typename Shape::Shared& shared = *dynamic_shared<typename Shape::Shared>();
  Ring& ring = shared.ring;
  const int steps = k_steps<Ring>(product.K);
  const ClusterTiles tiles(order);

  if (threadIdx.x == 0) initialise(ring, Shape::consumers * cluster_blocks);
  cluster_sync();

  Place<Shape::stages> place;
  if (warpgroup() == 0) {
    registers_decrease<40>();
    if (threadIdx.x == 0) {
      for (int i = tiles.first; i < tiles.total; i += tiles.step) {
        const TilePlace tile = tiles.at(i);
        fill_shared_b(ring, place, &map_a, &map_b, tile.m * Shape::tile_m, tile.n * Shape::tile_n,
                      batch_of_a(product, tile.batch), batch_of_b(product, tile.batch), steps);
      }
    }
  } else {
    registers_increase<232>();
    const int me = warpgroup() - 1;
    const bool leader = thread_of_warpgroup() == 0;
    unsigned char* c = shared.c[me];
    float d[1][Shape::tile_n / 2];
    for (int i = tiles.first; i < tiles.total; i += tiles.step) {
      const TilePlace tile = tiles.at(i);
      const int row = tile.m * Shape::tile_m + 64 * me, column = tile.n * Shape::tile_n;
      multiply(d, ring, place, 64 * me, steps, [&](int stage) { release_to_cluster(ring, stage); });
      if (leader) bulk_wait_read<0>();  // the tile before has left
      barrier_sync(1 + me, warpgroup_threads);
      stage_rows(product, c, d[0], row, column, tile.batch);
      fence_async_shared();
      barrier_sync(1 + me, warpgroup_threads);
      if (leader) {
        for (int box = 0; box < Shape::boxes; ++box) {
          const int first = column + box * Shape::box_columns;
          if (row < product.M && first < product.N)
            tma_store<3>(&map_c, {first, row, tile.batch}, c + box * Shape::box_bytes);
        }
        bulk_commit();
      }
    }
    if (leader) bulk_wait_read<0>();  // shared memory ends with the block
  }
  __syncwarp();  // single threads join their warps again
  cluster_sync();
}

template <class Shape>
void launch_tma_store(const HopperProduct& product) {
  const TileOrder order = tile_order(product, cluster_blocks * Shape::tile_m, Shape::tile_n);
  launch<tma_store_kernel<Shape>>({.grid = cluster_grid(order.total()),
                                   .block = Shape::block_threads,
                                   .shared = sizeof(typename Shape::Shared),
                                   .cluster = cluster_blocks},
                                  product.a.map<typename Shape::A>(),
                                  product.b.map<typename Shape::B>(), Shape::map_c(product),
                                  make_product<typename Shape::Element>(product.arguments), order);
}

// Whether the copy engine can write C.
inline bool tma_stores(const GemmArguments& arguments) {
  return reinterpret_cast<uintptr_t>(arguments.c) % 16 == 0 &&
         arguments.N * static_cast<int64_t>(size_of(arguments.dtype)) % 16 == 0;
}

}  // namespace strata::gpu
