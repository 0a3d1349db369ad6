// C leaves beside the products of the next tile.
//
// In 16_tma_store and 20_hopper_stream_k the copies to C run behind the next tile, but what goes
// before them does not: a warpgroup that has its sums rounds them, lays them out box by box, waits
// for the copy engine to have read the box before the last, and so keeps the tensor cores waiting
// for 2 to 3 us a tile; with K of 768, whose products take 7, that is a quarter.
//
// Here the sums are rounded to the 16 bits of C as soon as they are there, alpha and bias with
// them, and stay in registers: 64 a thread, beside the 128 of the next tile's sums. Behind each of
// the next tile's first stages, while the tensor cores work on it, a warpgroup lays out one box and
// starts its copy.
//
//   stage        0            1            2            3            4 ...
//   wgmma        [==========] [==========] [==========] [==========] [==========]
//   C before     box 0        box 1        box 2        box 3
//
// What a cluster works on is 20_hopper_stream_k's list. An epilogue with more than alpha and a bias
// would take too many registers. Bytes: as 20. Registers (ptxas, sm_90a): 168 by
// launch bounds, 40 and 232 after setmaxnreg, no spills. Shared memory: 225 KiB.
#include "kernels/gemm/hopper.h"
#include "kernels/gemm/hopper_stream_k.h"

namespace strata::gpu {
namespace {

// A tile of C on its way: a warpgroup's 64 rows, rounded.
template <class Shape>
struct Leaving {
  using C = typename Shape::Element;
  static constexpr int slices = Shape::tile_n / slice_columns;
  static constexpr int slices_of_box = slices / Shape::boxes;
  uint32_t packed[slices][4];
  int pair = -1;  // of tiles; none

  DEVICE void round(const float (&d)[Shape::tile_n / 2], const BoxedStore<Shape>& store, int of) {
    pair = of;
    const Product<C>& product = store.product;
    const ProductEpilogue<C>& e = product.epilogue;
    if (is_plain(e)) {
      for_each_slice<true>(d, [&](int slice, const float(&sums)[slice_sums]) {
#pragma unroll
        for (int i = 0; i < 4; ++i)
          packed[slice][i] = pack<C>(e.alpha * sums[2 * i], e.alpha * sums[2 * i + 1]);
      });
      return;
    }
    const int c0 = store.column + fragment_column();
    for_each_slice<true>(d, [&](int slice, const float(&sums)[slice_sums]) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const int c = c0 + slice * slice_columns + i / 2 * 8;
        float low = e.alpha * sums[2 * i], high = e.alpha * sums[2 * i + 1];
        if (c < product.N) {
          const Vec<C, 2> bias = load_vector<2>(e.bias + c);
          low += to_sum(bias[0]), high += to_sum(bias[1]);
        }
        packed[slice][i] = pack<C>(low, high);
      }
    });
  }
  // Lays out a box and starts its copy; each once. store_of(pair) says to where.
  template <class StoreOf>
  DEVICE void leave(int box, StoreOf&& store_of) {
    static_assert(Shape::boxes == 4);
    if (box == 0) leave_box<0>(store_of(pair));
    if (box == 1) leave_box<1>(store_of(pair));
    if (box == 2) leave_box<2>(store_of(pair));
    if (box == 3) leave_box<3>(store_of(pair));
  }
  // The boxes from `first` on.
  template <class StoreOf>
  DEVICE void leave_all(int first, StoreOf&& store_of) {
    if (pair < 0) return;
    for (int box = first; box < Shape::boxes; ++box) leave(box, store_of);
    pair = -1;
  }

 private:
  template <int Box>
  DEVICE void leave_box(const BoxedStore<Shape>& store) {
#pragma unroll
    for (int slice = Box * slices_of_box; slice < (Box + 1) * slices_of_box; ++slice) {
      store.open(slice);
      stage_packed(store.box_of(slice), slice, packed[slice]);
      store.close(slice);
    }
  }
};

// As multiply(), and beside stage i, i < boxes, box i of the tile before leaves.
template <class Shape, class Ring, class StoreOf, class Release>
DEVICE void multiply_beside(float (&d)[1][Shape::tile_n / 2], Ring& ring,
                            Place<Ring::stages>& place, int row, int steps, Leaving<Shape>& leaving,
                            StoreOf&& store_of, Release&& release) {
  int before = 0;
  for (int step = 0; step < steps; ++step) {
    mbarrier_wait(&ring.full[place.stage], place.parity);
    multiply_stage<typename Ring::A, typename Ring::B>(d, ring.a[place.stage], row,
                                                       ring.b[place.stage], step > 0);
    if (leaving.pair >= 0) leaving.leave(step, store_of);
    if (step > 0) {
      wgmma_wait<1>();
      count_on_whole_warpgroup();
      release(before);
    }
    before = place.stage;
    place.advance();
  }
  wgmma_wait<0>();
  count_on_whole_warpgroup();
  release(before);
  leaving.leave_all(steps, store_of);
}

template <class Shape>
__global__ void __launch_bounds__(Shape::block_threads, 1)
    hidden_store_kernel(const __grid_constant__ TensorMap map_a,
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
    Leaving<Shape> leaving;
    const auto store_of = [&](int pair) {
      const TilePlace tile = line.order.at(pair);
      return BoxedStore<Shape>{product,
                               &map_c,
                               shared.c[me],
                               (tile.m * cluster_blocks + rank) * Shape::tile_m + 64 * me,
                               tile.n * Shape::tile_n,
                               tile.batch};
    };
    while (parts.next(part)) {
      multiply_beside(d, ring, place, 64 * me, part.steps, leaving, store_of,
                      [&](int stage) { release_to_cluster(ring, stage); });
      if (!part.last) {
        slots.give(d[0], cluster, me);
        continue;
      }
      if (part.first > 0)
        slots.take(d[0], line.cluster_at(int64_t{part.pair - line.whole} * line.steps), cluster,
                   me);
      leaving.round(d[0], store_of(part.pair), part.pair);
    }
    leaving.leave_all(0, store_of);
    if (thread_of_warpgroup() == 0) bulk_wait_read<0>();  // shared memory ends with the block
  }
  __syncwarp();  // single threads join their warps again
  cluster_sync();
}

struct HiddenStore {
  template <class T, Major OrderA, Major OrderB>
  static void launch(const HopperProduct& product) {
    using Shape = TmaStoreShape<T, T, 128, 256, 4, OrderA, OrderB>;
    launch_stream_k<Shape, hidden_store_kernel<Shape>>(product);
  }
};
bool supports(const GemmArguments& arguments) {
  const Epilogue& e = arguments.epilogue;
  return reinterpret_cast<uintptr_t>(e.bias) % 4 == 0 && !e.residual &&
         gemm_ladder::hopper_stream_k.supports(arguments) && e.activation == Activation::none &&
         !e.preactivation;
}

}  // namespace

namespace gemm_ladder {
const GemmRung hidden_store{"21_hidden_store", "C leaves beside the next tile's products", supports,
                            run_16_bit<HiddenStore>};
}

}  // namespace strata::gpu
