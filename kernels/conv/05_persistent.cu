// Rung 5: Hopper (sm_90a), forward and input gradient, bf16 and f16: rung 4's gather by the copy
// engine in front of the ladder of products' last kernel (gemm/16_tma_store.cu).
//
// Against 04_tma_im2col, whose blocks fill a ring, multiply, write, and end: blocks stay, so the
// next tile is fetched while the sums of this one are finished; the result leaves through shared
// memory; and two blocks, whose tiles of 128 pixels lie one after the other, form a cluster that
// brings each tile of the weight once, half by each, into both. A layer of ResNet-50 has 4 to 72
// steps of K, and the shorter the sum, the more of a tile's time was spent outside of it.
//
// Where pixels lie side by side the copy engine takes the result away. Those of a residue class of
// a strided input gradient do not: threads store a pixel's 128 bytes at a time, and all classes are
// tiles of one launch.
//
// Tile: 128 pixels x 64, 128 or (not for classes) 256 channels, a step of K is 64 channels of a
// tap. A pair of tiles of 256 channels does 8.4 MFLOP for 64 KiB, 128 operations a byte from L2.
// With 64 channels it is 51, and the image, which comes again for each tap, bounds it. Shared
// memory: 225 KiB. Registers: 168 by launch bounds, 40 and 232 after setmaxnreg, no spills.
// H200, ResNet-50, bf16, forward: 3x3
// bodies 292 (64 channels, 0.71 of cuDNN) to 581 TFLOP/s (1.0); strided input gradients 0.73 to
// 0.89.
//
// What the copy engine can gather (Im2colView::fits), and bias, ReLU or residual behind; norms are
// rung 4's.
#include <algorithm>
#include <span>

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

// The residue classes of an input gradient, as many as one launch takes; one gather otherwise.
struct Classes {
  static constexpr int most = 4;
  TensorMap map[most];
  Im2colView view[most];
};

// As gemm's BoxedStore for rows of C that are pixels anywhere: a box goes out by its threads, eight
// to a row of 128 bytes.
template <class S>
struct ScatteredStore : BoxedStore<S> {
  using C = typename S::Element;
  const Gather& gather;

  DEVICE ScatteredStore(const BoxedStore<S>& boxed, const Gather& gather)
      : BoxedStore<S>(boxed), gather(gather) {}
  template <int Half>
  DEVICE void operator()(const float (&d)[Half]) const {
    for_each_slice<true>(d, [&](int slice, const float(&sums)[slice_sums]) {
      Vec<C, 2> pairs[4];
#pragma unroll
      for (int i = 0; i < 4; ++i)
        for (int j = 0; j < 2; ++j) pairs[i][j] = from_sum<C>(sums[2 * i + j]);
      stage_slice<C>(this->box_of(slice), slice, pairs);
      if (slice % BoxedStore<S>::slices_of_box == BoxedStore<S>::slices_of_box - 1) send(slice);
    });
  }
  // The box is written again two boxes on, with a barrier between.
  DEVICE void send(int slice) const {
    this->meet();
    const unsigned char* box = this->box_of(slice);
    const int first = this->column + slice / BoxedStore<S>::slices_of_box * S::box_columns;
    const int chunk = thread_of_warpgroup() % 8, channel = first + chunk * vector_width<C>;
    if (channel >= this->product.N) return;
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      const int r = i * 16 + thread_of_warpgroup() / 8;
      if (this->row + r >= gather.pixels()) continue;
      const auto* from = reinterpret_cast<const C*>(box + r * 128 + (chunk ^ r % 8) * 16);
      store_vector(this->product.c + gather.destination(this->row + r) + channel,
                   load_vector<vector_width<C>>(from));
    }
  }
};

template <class T, bool Forward, bool Scattered, int N, int Stages>
__global__ void __launch_bounds__(Shape<T, Forward, N, Stages>::block_threads, 1)
    persistent_kernel(const __grid_constant__ Classes classes,
                      const __grid_constant__ TensorMap weight_map,
                      const __grid_constant__ TensorMap out_map,
                      const __grid_constant__ Product<T> product,
                      const __grid_constant__ TileOrder order) {
  using S = Shape<T, Forward, N, Stages>;
  typename S::Shared& shared = *dynamic_shared<typename S::Shared>();
  auto& ring = shared.ring;
  const ClusterTiles tiles(order);
  if (threadIdx.x == 0) initialise(ring, S::consumers * cluster_blocks);
  cluster_sync();
  auto class_of = [](const TilePlace& tile) { return Scattered ? tile.batch : 0; };
  auto steps_of = [](const Im2colView& view) {
    return view.gather.R * view.gather.S * view.channel_blocks;
  };
  // Classes differ by a row or a column of pixels; a pair of tiles is skipped by both blocks.
  auto behind = [&](const TilePlace& tile) {
    return Scattered && tile.m / cluster_blocks * cluster_blocks * M >=
                            classes.view[class_of(tile)].gather.pixels();
  };

  gpu::Place<Stages> at;
  if (warpgroup() == 0) {
    registers_decrease<40>();
    if (threadIdx.x == 0) {
      for (int i = tiles.first; i < tiles.total; i += tiles.step) {
        const TilePlace tile = tiles.at(i);
        if (behind(tile)) continue;
        const Im2colView& view = classes.view[class_of(tile)];
        // A tile behind the last pixel is a partner's only: any pixels, nothing is stored.
        const Place place = view.gather.place(min(tile.m * M, view.gather.pixels() - 1));
        const int steps = steps_of(view);
        for (int step = 0; step < steps; ++step, at.advance()) {
          uint64_t* full = &ring.full[at.stage];
          mbarrier_wait(&ring.empty[at.stage], at.parity ^ 1);
          mbarrier_expect(full, S::A::bytes + S::B::bytes);
          view.load(ring.a[at.stage], &classes.map[class_of(tile)], place, step, full);
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
      if (behind(tile)) continue;
      const Im2colView& view = classes.view[class_of(tile)];
      const int steps = steps_of(view);
      if (Scattered && steps == 0) {  // a class that no tap meets
#pragma unroll
        for (float& sum : d[0]) sum = 0;
      } else {
        multiply(d, ring, at, 64 * me, steps, [&](int stage) { release_to_cluster(ring, stage); });
      }
      const BoxedStore<S> store{product,    &out_map, shared.c[me], tile.m * M + 64 * me,
                                tile.n * N, 0};
      if constexpr (Scattered)
        ScatteredStore<S>(store, view.gather)(d[0]);
      else
        store(d[0]);
    }
    if (thread_of_warpgroup() == 0) bulk_wait_read<0>();  // shared memory ends with the block
  }
  __syncwarp();
  cluster_sync();
}

// The product that the convolution is, or the largest of its classes, for its epilogue and its
// cost. A is not in memory.
GemmArguments as_product(const Problem& problem, std::span<const Im2colView> views) {
  GemmArguments g;
  g.dtype = problem.shape.dtype;
  g.N = views[0].gather.out_channels;
  for (const Im2colView& view : views) {
    const int64_t taps = int64_t{view.gather.R} * view.gather.S;
    g.M = std::max<int64_t>(g.M, view.gather.pixels());
    g.K = std::max<int64_t>(g.K, taps * view.channel_blocks * 64);
  }
  g.a = problem.pass == Pass::forward ? problem.x : problem.gradient, g.a_row = g.K, g.a_column = 1;
  g.b = problem.weight, g.b_row = 1, g.b_column = g.K;
  g.c = problem.out;
  g.epilogue.bias = problem.bias;
  g.epilogue.residual = problem.residual;
  g.epilogue.activation = problem.relu ? Activation::relu : Activation::none;
  return g;
}

template <class T, bool Forward, bool Scattered, int N, int Stages>
void run_tile(const Problem& problem, std::span<const Im2colView> views, const GemmArguments& g) {
  using S = Shape<T, Forward, N, Stages>;
  const ConvShape& k = problem.shape;
  const HopperProduct product{g, {}, {}, static_cast<int>(views.size())};
  const TileOrder order = tile_order(product, cluster_blocks * M, N);
  Classes classes;
  for (size_t i = 0; i < views.size(); ++i) {
    classes.map[i] = views[i].map(k.dtype, g.a, M);
    classes.view[i] = views[i];
  }
  launch<persistent_kernel<T, Forward, Scattered, N, Stages>>(
      {.grid = cluster_grid(order.total()),
       .block = S::block_threads,
       .shared = sizeof(typename S::Shared),
       .cluster = cluster_blocks},
      classes,
      tensor_map(k.dtype, problem.weight, {k.C, k.R * k.S, k.O}, {k.C, k.R * k.S * k.C},
                 {64, 1, Forward ? N / 2 : 32}, Swizzle::b128),
      Scattered ? TensorMap{} : S::map_c(product), make_product<T>(g), order);
}

template <class T, bool Forward, bool Scattered>
void run_pass(const Problem& problem, std::span<const Im2colView> views) {
  const GemmArguments g = as_product(problem, views);
  if (g.N <= 64) return run_tile<T, Forward, Scattered, 64, 8>(problem, views, g);
  if constexpr (!Scattered) {  // addresses beside 256 columns of sums would spill
    if (g.N > 128 && hopper_cheapest(g, 2, false).columns == 256)
      return run_tile<T, Forward, Scattered, 256, 4>(problem, views, g);
  }
  run_tile<T, Forward, Scattered, 128, 6>(problem, views, g);
}

bool strided_gradient(const Problem& problem) {
  return problem.pass == Pass::input_gradient &&
         problem.shape.stride_h * problem.shape.stride_w > 1;
}

template <class T>
void run_typed(const Problem& problem) {
  if (problem.pass == Pass::forward) {
    const Im2colView view(forward_gather(problem.shape));
    return run_pass<T, true, false>(problem, {&view, 1});
  }
  std::vector<Im2colView> views;
  for (const Gather& gather : input_gradient_classes(problem.shape)) views.emplace_back(gather);
  if (!strided_gradient(problem)) return run_pass<T, false, false>(problem, views);
  for (size_t i = 0; i < views.size(); i += Classes::most)
    run_pass<T, false, true>(
        problem, std::span(views).subspan(i, std::min<size_t>(Classes::most, views.size() - i)));
}

void run(const Problem& problem) {
  if (problem.shape.dtype == DType::bf16)
    run_typed<bf16>(problem);
  else
    run_typed<f16>(problem);
}

bool supports(const Problem& problem) {
  return problem.pass != Pass::weight_gradient && tma_im2col.supports(problem) &&
         !problem.norm.scale && !problem.norm.sums && !(problem.relu && problem.residual);
}

}  // namespace

const ConvRung persistent = {"05_persistent", "rung 4's gather in blocks that stay, in pairs",
                             supports, run};

}  // namespace strata::gpu::conv
