// Rung 5: Hopper (sm_90a), forward and input gradient of stride 1, bf16 and f16: rung 4's gather by
// the copy engine in front of the ladder of products' last kernel (gemm/16_tma_store.cu).
//
// Against 04_tma_im2col, whose blocks fill a ring, multiply, write, and end: blocks stay, so the
// next tile is fetched while the sums of this one are finished; C leaves through shared memory by
// the copy engine; and two blocks, whose tiles of 128 pixels lie one after the other, form a
// cluster that brings each tile of the weight once, half by each, into both. A layer of ResNet-50
// has 4 to 72 steps of K, and the shorter the sum, the more of a tile's time was spent outside of
// it.
//
// Tile: 128 pixels x 64, 128 or 256 channels, a step of K is 64 channels of a tap. A pair of tiles
// of 256 channels does 8.4 MFLOP for 64 KiB, 128 operations a byte from L2. With 64 channels it is
// 51, and the image, which comes again for each tap, bounds it. Shared memory: 225 KiB. Registers:
// 168 by launch bounds, 40 and 232 after setmaxnreg, no spills. MEASURED
//
// What the copy engine can gather (Im2colView::fits), and bias, ReLU or residual behind; norms, and
// the classes of a strided input gradient, whose pixels do not lie side by side, are rung 4's.
#include "kernels/conv/im2col_view.h"
#include "kernels/gemm/hopper_cost.h"
#include "kernels/gemm/hopper_tma_store.h"
#include "kernels/gpu/gpu.h"

namespace strata::gpu::conv {
namespace {

constexpr int M = 128;

template <class T, bool Forward, int N, int Stages>
using Shape = TmaStoreShape<T, T, M, N, Stages, Major::k, Forward ? Major::k : Major::mn>;

// This block's half of a step of the weight, into both blocks: half of the rows, or, where a row is
// a channel of the sum, half of each panel.
template <bool Forward, int N>
DEVICE void load_half(unsigned char* tile, const TensorMap* map, const Im2colView& view, int column,
                      int first_channel, uint64_t* full) {
  constexpr uint16_t both = 3;
  const int index = column / view.channel_blocks, half = static_cast<int>(cluster_rank());
  const int channel = (column - index * view.channel_blocks) * 64;
  const int tap = view.gather.weight_tap(index);
  if constexpr (Forward) {
    const int coordinates[3] = {channel, tap, first_channel + half * N / 2};
    tma_load_multicast<3>(tile + half * N / 2 * 128, map, coordinates, full, both);
  } else {
#pragma unroll
    for (int panel = 0; panel < N / 64; ++panel) {
      const int coordinates[3] = {first_channel + panel * 64, tap, channel + half * 32};
      tma_load_multicast<3>(tile + (panel * 64 + half * 32) * 128, map, coordinates, full, both);
    }
  }
}

template <class T, bool Forward, int N, int Stages>
__global__ void __launch_bounds__(Shape<T, Forward, N, Stages>::block_threads, 1)
    persistent_kernel(const __grid_constant__ TensorMap source_map,
                      const __grid_constant__ TensorMap weight_map,
                      const __grid_constant__ TensorMap out_map,
                      const __grid_constant__ Im2colView view,
                      const __grid_constant__ Product<T> product,
                      const __grid_constant__ TileOrder order) {
  using S = Shape<T, Forward, N, Stages>;
  typename S::Shared& shared = *dynamic_shared<typename S::Shared>();
  auto& ring = shared.ring;
  const int steps = view.gather.R * view.gather.S * view.channel_blocks;
  const ClusterTiles tiles(order);
  if (threadIdx.x == 0) initialise(ring, S::consumers * cluster_blocks);
  cluster_sync();

  gpu::Place<Stages> at;
  if (warpgroup() == 0) {
    registers_decrease<40>();
    if (threadIdx.x == 0) {
      for (int i = tiles.first; i < tiles.total; i += tiles.step) {
        const TilePlace tile = tiles.at(i);
        // A tile behind the last pixel is a partner's only: any pixels, nothing is stored.
        const Place place = view.gather.place(min(tile.m * M, view.gather.pixels() - 1));
        for (int step = 0; step < steps; ++step, at.advance()) {
          uint64_t* full = &ring.full[at.stage];
          mbarrier_wait(&ring.empty[at.stage], at.parity ^ 1);
          mbarrier_expect(full, S::A::bytes + S::B::bytes);
          view.load(ring.a[at.stage], &source_map, place, step, full);
          load_half<Forward, N>(ring.b[at.stage], &weight_map, view, step, tile.n * N, full);
        }
      }
    }
  } else {
    registers_increase<232>();
    const int me = warpgroup() - 1;
    float d[1][N / 2];
    for (int i = tiles.first; i < tiles.total; i += tiles.step) {
      const TilePlace tile = tiles.at(i);
      multiply(d, ring, at, 64 * me, steps, [&](int stage) { release_to_cluster(ring, stage); });
      BoxedStore<S>{product, &out_map, shared.c[me], tile.m * M + 64 * me, tile.n * N, 0}(d[0]);
    }
    if (thread_of_warpgroup() == 0) bulk_wait_read<0>();  // shared memory ends with the block
  }
  __syncwarp();
  cluster_sync();
}

// The product that the convolution is, for its epilogue and its cost. A is not in memory.
GemmArguments as_product(const Problem& problem, const Im2colView& view) {
  GemmArguments g;
  g.dtype = problem.shape.dtype;
  g.M = view.gather.pixels(), g.N = view.gather.out_channels;
  g.K = int64_t{view.gather.R} * view.gather.S * view.channel_blocks * 64;
  g.a = problem.pass == Pass::forward ? problem.x : problem.gradient, g.a_row = g.K, g.a_column = 1;
  g.b = problem.weight, g.b_row = 1, g.b_column = g.K;
  g.c = problem.out;
  g.epilogue.bias = problem.bias;
  g.epilogue.residual = problem.residual;
  g.epilogue.activation = problem.relu ? Activation::relu : Activation::none;
  return g;
}

template <class T, bool Forward, int N, int Stages>
void run_tile(const Problem& problem, const Im2colView& view, const GemmArguments& g) {
  using S = Shape<T, Forward, N, Stages>;
  const ConvShape& k = problem.shape;
  const HopperProduct product{g, {}, {}, 1};
  const TileOrder order = tile_order(product, cluster_blocks * M, N);
  launch<persistent_kernel<T, Forward, N, Stages>>(
      {.grid = cluster_grid(order.total()),
       .block = S::block_threads,
       .shared = sizeof(typename S::Shared),
       .cluster = cluster_blocks},
      view.map(k.dtype, g.a, M),
      tensor_map(k.dtype, problem.weight, {k.C, k.R * k.S, k.O}, {k.C, k.R * k.S * k.C},
                 {64, 1, Forward ? N / 2 : 32}, Swizzle::b128),
      S::map_c(product), view, make_product<T>(g), order);
}

template <class T, bool Forward>
void run_pass(const Problem& problem, const Im2colView& view) {
  const GemmArguments g = as_product(problem, view);
  if (g.N <= 64)
    run_tile<T, Forward, 64, 8>(problem, view, g);
  else if (g.N <= 128 || hopper_cheapest(g, 2, false).columns == 128)
    run_tile<T, Forward, 128, 6>(problem, view, g);
  else
    run_tile<T, Forward, 256, 4>(problem, view, g);
}

Im2colView view_of(const Problem& problem) {
  if (problem.pass == Pass::forward) return Im2colView(forward_gather(problem.shape));
  return Im2colView(input_gradient_classes(problem.shape).front());
}

void run(const Problem& problem) {
  const Im2colView view = view_of(problem);
  auto run_typed = [&]<class T>(Type<T>) {
    if (problem.pass == Pass::forward)
      run_pass<T, true>(problem, view);
    else
      run_pass<T, false>(problem, view);
  };
  if (problem.shape.dtype == DType::bf16)
    run_typed(Type<bf16>{});
  else
    run_typed(Type<f16>{});
}

bool supports(const Problem& problem) {
  const ConvShape& k = problem.shape;
  const bool side_by_side = problem.pass == Pass::forward ||
                            (problem.pass == Pass::input_gradient && k.stride_h * k.stride_w == 1);
  return side_by_side && tma_im2col.supports(problem) && !problem.norm.scale &&
         !problem.norm.sums && !(problem.relu && problem.residual);
}

}  // namespace

const ConvRung persistent = {"05_persistent", "rung 4's gather in blocks that stay, in pairs",
                             supports, run};

}  // namespace strata::gpu::conv
