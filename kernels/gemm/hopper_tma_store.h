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

  // A warpgroup's 64 rows of C leave in boxes of 128 bytes by 64 rows, as the copy engine takes
  // them. Two boxes are enough: one is filled while the other is copied.
  static constexpr int box_columns = 128 / static_cast<int>(sizeof(C));
  static constexpr int boxes = TileN / box_columns;
  static constexpr int box_bytes = 64 * 128;
  struct Shared {
    Ring ring;
    alignas(1024) unsigned char c[consumers][2 * box_bytes];
  };

  static TensorMap map_c(const HopperProduct& product) {
    const GemmArguments& g = product.arguments;
    return tensor_map(dtype_of<C>(), g.c, {g.N, g.M, product.batches}, {g.N, g.M * g.N},
                      {box_columns, 64, 1}, Swizzle::b128);
  }
};

// A slice of 16 columns into its box: four 8x8 matrices, for 16-bit elements by one stmatrix.
// pairs[2j + h] is at row 8h + lane / 4 of the warp, column 8j + 2 (lane % 4) of the slice. 16-byte
// chunk c of row r lies at 128 r + 16 (c ^ r % 8).
template <class C>
DEVICE void stage_slice(unsigned char* box, int slice, const Vec<C, 2> (&pairs)[4]) {
  constexpr int chunks = slice_columns * static_cast<int>(sizeof(C)) / 16;  // of a slice
  const int warp_row = thread_of_warpgroup() / 32 * 16, lane = thread_of_warpgroup() % 32;
  const int first = slice * chunks % 8;
  if constexpr (sizeof(C) == 2) {
    uint32_t packed[4];
#pragma unroll
    for (int i = 0; i < 4; ++i)
      packed[i] = static_cast<uint32_t>(pairs[i].data[0].bits) |
                  static_cast<uint32_t>(pairs[i].data[1].bits) << 16;
    const int matrix = lane / 8;  // this lane names one of its rows
    const int row = warp_row + matrix % 2 * 8 + lane % 8;
    stmatrix<4>(box + row * 128 + ((first + matrix / 2) ^ row % 8) * 16, packed);
  } else {
    const int row = warp_row + lane / 4, in_line = (lane % 4 * 8) ^ (row % 8 * 16);
#pragma unroll
    for (int i = 0; i < 4; ++i)
      store_vector(reinterpret_cast<C*>(box + (row + i % 2 * 8) * 128 +
                                        ((first * 16 + i / 2 * 32) ^ in_line)),
                   pairs[i]);
  }
}

// Finishes the warpgroup's sums, a box at a time, and starts the copies to C at (row, column).
template <class Shape>
struct BoxedStore {
  using C = typename Shape::Element;
  static constexpr int slices_of_box = Shape::box_columns / slice_columns;

  const Product<C>& product;
  const TensorMap* map;
  unsigned char* boxes;  // two
  int row, column, batch;

  DEVICE unsigned char* box_of(int slice) const {
    return boxes + slice / slices_of_box % 2 * Shape::box_bytes;
  }
  DEVICE void meet() const { barrier_sync(warpgroup(), warpgroup_threads); }
  // Before the first slice of a box: what lay there has left.
  DEVICE void open(int slice) const {
    if (slice % slices_of_box != 0) return;
    if (thread_of_warpgroup() == 0) bulk_wait_read<1>();
    meet();
  }
  // After its last.
  DEVICE void close(int slice) const {
    if (slice % slices_of_box != slices_of_box - 1) return;
    fence_async_shared();
    meet();
    if (thread_of_warpgroup() != 0) return;
    const int first = column + slice / slices_of_box * Shape::box_columns;
    if (row < product.M && first < product.N) tma_store<3>(map, {first, row, batch}, box_of(slice));
    bulk_commit();
  }

  template <int Half>
  DEVICE void operator()(const float (&d)[Half]) const {
    const ProductEpilogue<C>& e = product.epilogue;
    const int r0 = row + fragment_row(), c0 = column + fragment_column();
    if (is_plain(e)) {
      for_each_slice<true>(d, [&](int slice, const float(&sums)[slice_sums]) {
        Vec<C, 2> pairs[4];
#pragma unroll
        for (int i = 0; i < 4; ++i)
          for (int j = 0; j < 2; ++j) pairs[i][j] = from_sum<C>(e.alpha * sums[2 * i + j]);
        stage(slice, pairs);
      });
      return;
    }
    for_each_slice(
        product, d,
        [&](int slice, const ProductEpilogue<C>& epilogue, const float(&sums)[slice_sums]) {
          Vec<C, 2> pairs[4]{};
#pragma unroll
          for (int i = 0; i < 4; ++i) {
            const int r = r0 + i % 2 * 8, k = c0 + slice * slice_columns + i / 2 * 8;
            if (r < product.M && k < product.N)
              pairs[i] = finish(product, epilogue, {sums[2 * i], sums[2 * i + 1]}, k,
                                (static_cast<int64_t>(batch) * product.M + r) * product.N + k);
          }
          stage(slice, pairs);
        });
  }
  DEVICE void stage(int slice, const Vec<C, 2> (&pairs)[4]) const {
    open(slice);
    stage_slice<C>(box_of(slice), slice, pairs);
    close(slice);
  }
};

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
    float d[1][Shape::tile_n / 2];
    for (int i = tiles.first; i < tiles.total; i += tiles.step) {
      const TilePlace tile = tiles.at(i);
      multiply(d, ring, place, 64 * me, steps, [&](int stage) { release_to_cluster(ring, stage); });
      const BoxedStore<Shape> store{
          product,   &map_c, shared.c[me], tile.m * Shape::tile_m + 64 * me, tile.n * Shape::tile_n,
          tile.batch};
      store(d[0]);
    }
    if (thread_of_warpgroup() == 0) bulk_wait_read<0>();  // shared memory ends with the block
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
