// Rung 4 for the weight gradient: both operands come by the copy engine with the sum's axis, the
// pixels, outside, which wgmma takes as MN-major.
//
//   A   gradient [pixels, O]: boxes of 64 channels x 64 pixels
//   B   x through TMA im2col: each block of 64 columns is one tap and 64 channels, 64 pixels
//
// A tile is M channels of O x N columns, where columns are counted in blocks of 64 (a tap's last
// block may reach past C: zeros). With M of 128 the two consumer warpgroups share the channels;
// where O has 64 or fewer, M is 64 and they share the pixels of each stage, every one with sums of
// its own.
//
// The pixels are split over blocks of the grid, and their sums are added in order (fold). A
// multiprocessor holds one block, so N and the number of parts are those whose last wave of blocks
// is done first by a small model of time (plan()): 72 tiles of 132 multiprocessors are 55 %, cut
// in three they are 82 %. 32 to 48 KiB a stage, four stages. Registers: 168 by launch bounds, no
// spills. Workspace: parts O R S C of f32. MEASURED
#include <algorithm>

#include "kernels/conv/im2col_view.h"
#include "kernels/conv/partials.h"
#include "kernels/conv/weight_split.h"
#include "kernels/gemm/hopper_pipeline.h"
#include "kernels/gpu/gpu.h"
#include "kernels/gpu/scratch.h"

namespace strata::gpu::conv {
namespace {

constexpr int K = 64, stages = 4;
constexpr int consumers = 256, threads = consumers + warpgroup_threads;
constexpr int block_bytes = 64 * 128;  // 64 columns x 64 pixels

template <class T, int M, int N>
using GradientRing = StageRing<OperandTile<T, M, Major::mn>, OperandTile<T, N, Major::mn>, stages>;

// d = the sum over `steps` stages of 64 rows of A, from `row` on, times B, of the products `first`
// to `first + Products - 1` of each stage: as gemm's multiply(), which takes all of them.
template <int Products, class Ring, int Half>
DEVICE void multiply_pixels(float (&d)[1][Half], Ring& ring, gpu::Place<stages>& at, int row,
                            int first, int steps) {
  using A = typename Ring::A;
  using B = typename Ring::B;
  int before = 0;
  for (int step = 0; step < steps; ++step, at.advance()) {
    mbarrier_wait(&ring.full[at.stage], at.parity);
    wgmma_fence();
#pragma unroll
    for (int p = 0; p < Products; ++p)
      wgmma<B::rows, typename A::Type, Major::mn, Major::mn>(
          d[0], A::descriptor(ring.a[at.stage], row, first + p),
          B::descriptor(ring.b[at.stage], 0, first + p), step > 0 || p > 0);
    wgmma_commit();
    if (step > 0) {
      wgmma_wait<1>();
      mbarrier_arrive(&ring.empty[before]);
    }
    before = at.stage;
  }
  wgmma_wait<0>();
  mbarrier_arrive(&ring.empty[before]);
}

// The sums of a warpgroup's 64 channels. Column j of the tile is channel j % 64 of block j / 64.
template <int N>
DEVICE void write_sums(const float (&d)[1][N / 2], const Im2colView& view, float* partial,
                       int first_o, int first_block) {
  const Gather& gather = view.gather;
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = thread_of_warpgroup() / 32;
#pragma unroll
  for (int j = 0; j < N / 8; ++j) {
    const int block = first_block + j / 8, tap = block / view.channel_blocks;
    const int c = (block - tap * view.channel_blocks) * 64 + j % 8 * 8 + lane % 4 * 2;
    if (tap >= gather.R * gather.S || c >= gather.channels) continue;  // channels are even
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int o = first_o + warp * 16 + half * 8 + lane / 4;
      if (o >= gather.out_channels) continue;
      Vec<float, 2> pair;
      pair[0] = d[0][4 * j + 2 * half], pair[1] = d[0][4 * j + 2 * half + 1];
      store_vector(partial + static_cast<int64_t>(o) * gather.K() + tap * gather.channels + c,
                   pair);
    }
  }
}

template <class T, int M, int N>
__global__ void __launch_bounds__(threads, 1)
    tma_weight_gradient_kernel(const __grid_constant__ TensorMap gradient_map,
                               const __grid_constant__ TensorMap image_map,
                               const __grid_constant__ Im2colView view, WeightSplit split,
                               float* partial) {
  using Tiles = GradientRing<T, M, N>;
  Tiles& ring = *dynamic_shared<Tiles>();
  const Gather& gather = view.gather;
  const int first_o = static_cast<int>(blockIdx.x) * M;
  const int first_block = static_cast<int>(blockIdx.y) * (N / 64);
  const int last_block = gather.R * gather.S * view.channel_blocks - 1;
  const int part = static_cast<int>(blockIdx.z), begin = part * split.pixels,
            end = min(gather.pixels(), begin + split.pixels);
  const int steps = (end - begin + K - 1) / K;
  if (threadIdx.x == 0) initialise(ring, consumers);
  __syncthreads();

  gpu::Place<stages> at;
  if (threadIdx.x >= consumers) {
    registers_decrease<40>();
    if (threadIdx.x != consumers) return;
    for (int step = 0; step < steps; ++step, at.advance()) {
      const int pixel = begin + step * K;
      const Place place = gather.place(pixel);
      uint64_t* full = &ring.full[at.stage];
      mbarrier_wait(&ring.empty[at.stage], at.parity ^ 1);
      mbarrier_expect(full, Tiles::A::bytes + Tiles::B::bytes);
      Tiles::A::load(ring.a[at.stage], &gradient_map, first_o, pixel, 0, full);
      for (int b = 0; b < N / 64; ++b)  // past the end: any block, whose sums nobody stores
        view.load(ring.b[at.stage] + b * block_bytes, &image_map, place,
                  min(first_block + b, last_block), full);
    }
    return;
  }
  registers_increase<232>();
  float d[1][N / 2];
  const int64_t size = static_cast<int64_t>(gather.out_channels) * gather.K();
  if constexpr (M == 128) {
    multiply_pixels<4>(d, ring, at, warpgroup() * 64, 0, steps);
    write_sums<N>(d, view, partial + part * size, first_o + warpgroup() * 64, first_block);
  } else {
    multiply_pixels<2>(d, ring, at, 0, warpgroup() * 2, steps);
    write_sums<N>(d, view, partial + (part * 2 + warpgroup()) * size, first_o, first_block);
  }
}

struct Plan {
  int N = 128;
  WeightSplit split;
};

// The cheapest by a model of time: waves of blocks, each of which multiplies its steps at half of
// the tensor cores' rate (less in narrow tiles, whose operands take as long to read as to
// multiply), waits for the first and writes its sums; then all parts are read.
Plan plan(const ConvShape& k, const Im2colView& view, int M) {
  const DeviceInfo& gpu = device();
  const int64_t pixels = k.N * k.P * k.Q, blocks = k.R * k.S * view.channel_blocks;
  const double bytes_of_part = 8.0 * static_cast<double>(k.O * k.R * k.S * k.C);
  const double rate = 0.5 * gpu.tensor_bf16 / gpu.multiprocessors,
               bandwidth = 0.8 * gpu.memory_bandwidth, start = 1.5e-6;
  const int slices = M == 128 ? 1 : 2;
  Plan best;
  double least = 1e30;
  for (auto [N, efficiency] : {std::pair{128, 0.8}, {192, 0.93}, {256, 1.0}}) {
    const int64_t tiles = int64_t{divide_up(k.O, M)} * divide_up(blocks, N / 64);
    const double step = 2.0 * M * N * K / (rate * efficiency),
                 finish = 4.0 * slices * M * N * gpu.multiprocessors / bandwidth;
    for (int64_t parts = 1; parts <= 64; ++parts) {
      const WeightSplit split(pixels, parts, K);
      if (split.parts != parts) continue;
      const auto waves = divide_up(tiles * parts, gpu.multiprocessors);
      const double time = waves * (start + split.pixels / K * step + finish) +
                          static_cast<double>(parts * slices) * bytes_of_part / 2 / bandwidth;
      if (time < least) least = time, best = {N, split};
    }
  }
  return best;
}

template <class T, int M, int N>
void run_tile(const Problem& problem, const Im2colView& view, const WeightSplit& split) {
  using Ring = GradientRing<T, M, N>;
  const ConvShape& k = problem.shape;
  const Gather& gather = view.gather;
  const int64_t size = k.O * gather.K(), slices = split.parts * (M == 128 ? 1 : 2);
  Scratch partial(static_cast<size_t>(slices * size) * sizeof(float));
  launch<tma_weight_gradient_kernel<T, M, N>>(
      {.grid = dim3(divide_up(k.O, M), divide_up(k.R * k.S * view.channel_blocks, N / 64),
                    static_cast<unsigned>(split.parts)),
       .block = threads,
       .shared = sizeof(Ring)},
      Ring::A::map(problem.gradient, k.O, gather.pixels(), k.O, 1, k.O * gather.pixels()),
      view.map(k.dtype, problem.x, K), view, split, partial.as<float>());
  fold(k.dtype, partial.as<void>(), slices, size, problem.out);
}

template <class T, int M>
void run_rows(const Problem& problem) {
  const Im2colView view(forward_gather(problem.shape));
  const Plan chosen = plan(problem.shape, view, M);
  if (chosen.N == 128)
    run_tile<T, M, 128>(problem, view, chosen.split);
  else if (chosen.N == 192)
    run_tile<T, M, 192>(problem, view, chosen.split);
  else
    run_tile<T, M, 256>(problem, view, chosen.split);
}

template <class T>
void run_typed(const Problem& problem) {
  if (problem.shape.O <= 64)
    run_rows<T, 64>(problem);
  else
    run_rows<T, 128>(problem);
}

}  // namespace

void tma_weight_gradient(const Problem& problem) {
  if (problem.shape.dtype == DType::bf16)
    run_typed<bf16>(problem);
  else
    run_typed<f16>(problem);
}

}  // namespace strata::gpu::conv
