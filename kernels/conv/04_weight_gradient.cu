// Rung 4 for the weight gradient: both operands come by the copy engine with the sum's axis, the
// pixels, outside, which wgmma takes as MN-major.
//
//   A   gradient [pixels, O]: boxes of 64 channels x 64 pixels
//   B   x through TMA im2col: each block of 64 columns is one tap and 64 channels, 64 pixels
//
// A tile is 128 channels of O x N columns, where columns are counted in blocks of 64 (a tap's last
// block may reach past C: zeros). The pixels are split over blocks of the grid, and their sums are
// added in order (weight_split.h, fold). 32 KiB a stage at N = 128, four stages. Registers: 168 by
// launch bounds, no spills. Workspace: splits O R S C of f32. H200, ResNet-50 3x3 bodies, bf16: 187
// to 390 TFLOP/s, 0.33 to 0.8 of cuDNN.
#include <algorithm>

#include "kernels/conv/im2col_view.h"
#include "kernels/conv/partials.h"
#include "kernels/conv/weight_split.h"
#include "kernels/gemm/hopper_pipeline.h"
#include "kernels/gpu/gpu.h"
#include "kernels/gpu/scratch.h"

namespace strata::gpu::conv {
namespace {

constexpr int M = 128, N = 128, K = 64, stages = 4;
constexpr int consumers = 256, threads = consumers + warpgroup_threads;
constexpr int block_bytes = 64 * 128;  // 64 columns x 64 pixels

template <class T>
using GradientRing = StageRing<OperandTile<T, M, Major::mn>, OperandTile<T, N, Major::mn>, stages>;

// The sums of a warpgroup's 64 channels. Column j of the tile is channel j % 64 of block j / 64.
DEVICE void write_sums(const float (&d)[1][N / 2], const Im2colView& view, float* partial,
                       int first_o, int first_block) {
  const Gather& gather = view.gather;
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
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

template <class T>
__global__ void __launch_bounds__(threads, 1)
    tma_weight_gradient_kernel(const __grid_constant__ TensorMap gradient_map,
                               const __grid_constant__ TensorMap image_map,
                               const __grid_constant__ Im2colView view, WeightSplit split,
                               float* partial) {
  using Tiles = GradientRing<T>;
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
  multiply(d, ring, at, warpgroup() * 64, steps,
           [&](int stage) { mbarrier_arrive(&ring.empty[stage]); });
  write_sums(d, view, partial + part * static_cast<int64_t>(gather.out_channels) * gather.K(),
             first_o, first_block);
}

template <class T>
void run_typed(const Problem& problem) {
  const ConvShape& k = problem.shape;
  const Im2colView view(forward_gather(k));
  const Gather& gather = view.gather;
  const WeightSplit split(k, M, N, K);
  const int64_t size = k.O * gather.K();
  Scratch partial(static_cast<size_t>(split.parts * size) * sizeof(float));
  launch<tma_weight_gradient_kernel<T>>(
      {.grid = dim3(divide_up(k.O, M), divide_up(k.R * k.S * view.channel_blocks, N / 64),
                    static_cast<unsigned>(split.parts)),
       .block = threads,
       .shared = sizeof(GradientRing<T>)},
      GradientRing<T>::A::map(problem.gradient, k.O, gather.pixels(), k.O, 1,
                              k.O * gather.pixels()),
      view.map(k.dtype, problem.x, K), view, split, partial.as<float>());
  fold(k.dtype, partial.as<void>(), split.parts, size, problem.out);
}

}  // namespace

void tma_weight_gradient(const Problem& problem) {
  if (problem.shape.dtype == DType::bf16)
    run_typed<bf16>(problem);
  else
    run_typed<f16>(problem);
}

}  // namespace strata::gpu::conv
