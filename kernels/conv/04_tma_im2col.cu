// Rung 4: Hopper (sm_90a). The copy engine gathers, the tensor cores of warpgroups multiply: bf16
// and f16; forward and input gradient.
//
// Against rung 3, where 256 threads compute an address for each 16 bytes: one thread asks for 128
// pixels of 64 channels through one tap in one instruction (TMA im2col), padding and ragged
// channels come as zeros, and nobody computes addresses. A ring of four stages lies between the
// producer and two consumer warpgroups, which multiply 64 pixels each by wgmma straight from shared
// memory (the ring and its rules: kernels/gemm/hopper_pipeline.h). The weight is a tensor
// [O, R S, C]: a box of it is K-major for the forward pass and, read with C as the outer axis,
// MN-major for the input gradient. That is one gather for each residue class of the stride, with
// its taps counted from the other end; a class that no tap meets stores zeros.
//
// Tile: 128 pixels x 64, 128 or 256 channels, a step of K is 64 channels of a tap. At 128 x 256:
// 4.2 MFLOP for 48 KiB, 85 operations a byte from L2; 192 KiB of shared memory. Registers: 168 by
// launch bounds, 40 and 232 after setmaxnreg, no spills. H200, ResNet-50 3x3 bodies, bf16, forward:
// 211 (64 channels) to 477 TFLOP/s, 0.5 to 0.9 of cuDNN.
//
// One group, channels in multiples of 8 (16 bytes, the copy engine's rule), offsets and corners
// within the map's limits (Im2colView::fits); else rung 3.
#include <algorithm>

#include "kernels/conv/im2col_view.h"
#include "kernels/conv/staged_epilogue.h"
#include "kernels/conv/tensor_tile.h"
#include "kernels/gemm/hopper_pipeline.h"
#include "kernels/gpu/gpu.h"

namespace strata::gpu::conv {
namespace {

constexpr int M = 128, stages = 4, consumers = 256, threads = consumers + warpgroup_threads;

template <class T, bool Forward, int N>
using ImageRing =
    StageRing<OperandTile<T, M>, OperandTile<T, N, Forward ? Major::k : Major::mn>, stages>;

// The weight's part of a step: taps and channels as the gathered operand counts them.
template <bool Forward, int N>
DEVICE void load_weight(unsigned char* tile, const TensorMap* map, const Im2colView& view,
                        int column, int first_channel, uint64_t* full SIM_SITE) {
  const int index = column / view.channel_blocks;
  const int channel = (column - index * view.channel_blocks) * 64;
  const int tap = view.gather.weight_tap(index);
  if constexpr (Forward) {
    const int coordinates[3] = {channel, tap, first_channel};
    tma_load<3>(tile, map, coordinates, full SIM_PASS);
  } else {
#pragma unroll
    for (int panel = 0; panel < N / 64; ++panel) {
      const int coordinates[3] = {first_channel + panel * 64, tap, channel};
      tma_load<3>(tile + panel * 64 * 128, map, coordinates, full SIM_PASS);
    }
  }
}

// d[4j + 2h + e] is row 16 warp + 8h + lane / 4, column 8j + 2 (lane % 4) + e.
template <int N>
DEVICE void stage_warpgroup(const float (&d)[1][N / 2], float* staged) {
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
#pragma unroll
  for (int j = 0; j < N / 8; ++j) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      Vec<float, 2> pair;
      pair[0] = d[0][4 * j + 2 * half], pair[1] = d[0][4 * j + 2 * half + 1];
      store_vector(
          staged + (warp * 16 + half * 8 + lane / 4) * StagedTile<N>::pitch + j * 8 + lane % 4 * 2,
          pair);
    }
  }
}

template <class T, bool Forward, int N>
__global__ void __launch_bounds__(threads, 1)
    tma_im2col_kernel(const __grid_constant__ TensorMap source_map,
                      const __grid_constant__ TensorMap weight_map,
                      const __grid_constant__ Im2colView view, Epilogue<T> epilogue,
                      float* statistics) {
  using Tiles = ImageRing<T, Forward, N>;
  Tiles& ring = *dynamic_shared<Tiles>();
  const Gather& gather = view.gather;
  const int first_pixel = static_cast<int>(blockIdx.x) * M;
  const TileChannels channels{0, static_cast<int>(blockIdx.y) * N, gather.out_channels};
  const int steps = gather.R * gather.S * view.channel_blocks;
  if (threadIdx.x == 0) initialise(ring, consumers);
  __syncthreads();

  gpu::Place<stages> at;
  if (threadIdx.x >= consumers) {
    registers_decrease<40>();
    if (threadIdx.x != consumers) return;
    const Place place = gather.place(first_pixel);
    for (int step = 0; step < steps; ++step, at.advance()) {
      uint64_t* full = &ring.full[at.stage];
      mbarrier_wait(&ring.empty[at.stage], at.parity ^ 1);
      mbarrier_expect(full, Tiles::A::bytes + Tiles::B::bytes);
      view.load(ring.a[at.stage], &source_map, place, step, full);
      load_weight<Forward, N>(ring.b[at.stage], &weight_map, view, step, channels.first, full);
    }
    return;
  }
  registers_increase<232>();
  float d[1][N / 2];
  if (steps == 0) {
#pragma unroll
    for (float& sum : d[0]) sum = 0;
  } else {
    multiply(d, ring, at, warpgroup() * 64, steps,
             [&](int stage) { mbarrier_arrive(&ring.empty[stage]); });
  }

  // The ring becomes the staged tile when both warpgroups have read the last stage.
  barrier_sync(1, consumers);
  float* staged = dynamic_shared<float>();
  stage_warpgroup<N>(d, staged);
  barrier_sync(1, consumers);
  if (statistics)
    write_staged_statistics<N, consumers>(staged, statistics, static_cast<int>(blockIdx.x),
                                          channels, gather.out_pitch);
  write_staged<T, N, consumers>(staged, ConsecutivePixels{gather, first_pixel}, epilogue, channels);
}

template <class T, bool Forward, int N>
void launch_tile(const Problem& problem, const Im2colView& view) {
  const ConvShape& k = problem.shape;
  const Gather& gather = view.gather;
  const TensorMap source = view.map(k.dtype, Forward ? problem.x : problem.gradient, M);
  const TensorMap weight =
      tensor_map(k.dtype, problem.weight, {k.C, k.R * k.S, k.O}, {k.C, k.R * k.S * k.C},
                 {64, 1, Forward ? N : 64}, Swizzle::b128);
  const Statistics statistics(problem, divide_up(gather.pixels(), M));
  launch<tma_im2col_kernel<T, Forward, N>>(
      {.grid = dim3(divide_up(gather.pixels(), M), divide_up(gather.out_channels, N)),
       .block = threads,
       .shared = std::max(sizeof(ImageRing<T, Forward, N>), StagedTile<N>::bytes)},
      source, weight, view, epilogue_of<T>(problem), statistics.partial());
  statistics.finish();
}

template <class T, bool Forward>
void run_pass(const Problem& problem, const Im2colView& view) {
  const int channels = view.gather.out_channels;
  const int64_t tiles =
      static_cast<int64_t>(divide_up(view.gather.pixels(), M)) * divide_up(channels, 256);
  if (channels <= 64)
    launch_tile<T, Forward, 64>(problem, view);
  else if (channels <= 128 || tiles < device().multiprocessors)
    launch_tile<T, Forward, 128>(problem, view);
  else
    launch_tile<T, Forward, 256>(problem, view);
}

std::vector<Gather> gathers_of(const Problem& problem) {
  if (problem.pass == Pass::input_gradient) return input_gradient_classes(problem.shape);
  return {forward_gather(problem.shape)};
}

void run(const Problem& problem) {
  if (problem.pass == Pass::weight_gradient) return tma_weight_gradient(problem);
  auto run_typed = [&]<class T>(Type<T>) {
    for (const Gather& gather : gathers_of(problem)) {
      if (problem.pass == Pass::forward)
        run_pass<T, true>(problem, Im2colView(gather));
      else
        run_pass<T, false>(problem, Im2colView(gather));
    }
  };
  if (problem.shape.dtype == DType::bf16)
    run_typed(Type<bf16>{});
  else
    run_typed(Type<f16>{});
}

bool fits_engine(const Problem& problem) {
  for (const Gather& gather : gathers_of(problem))
    if (!Im2colView(gather).fits()) return false;
  return true;
}

bool supports(const Problem& problem) {
  const ConvShape& k = problem.shape;
  return device().arch == 90 && size_of(k.dtype) == 2 && !has_zero(k) && fits_int(k) &&
         k.groups == 1 && k.C % 8 == 0 && k.O % 8 == 0 && aligned(problem, 16) &&
         !normalises_input(problem.norm) && fits_engine(problem);
}

}  // namespace

const ConvRung tma_im2col = {"04_tma_im2col", "TMA im2col into a ring, wgmma out of it; bf16, f16",
                             supports, run};

}  // namespace strata::gpu::conv
