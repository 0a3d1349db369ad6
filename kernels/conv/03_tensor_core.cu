// Rung 3: implicit GEMM on tensor cores (sm_80): bf16, f16, and f32 rounded to tf32 where that is
// allowed. Forward and input gradient.
//
// Against rung 2: the product is mma.sync m16n8k16 (tf32: m16n8k8), 8 warps over a tile of 128
// pixels x 64 or 128 channels, and K advances by lines of 128 bytes. cp.async brings the tiles of
// three stages past the registers; a chunk of 16 bytes is always channels of one tap, so gathering
// is the choice of an address, and padding is a copy of zeros. Tiles are permuted against bank
// conflicts (tensor_tile.h). The weight of the input gradient lies with its channels contiguous, so
// its fragments are taken transposed. The epilogue goes through shared memory (staged_epilogue.h),
// which makes its stores and residual loads whole vectors and gives batch-norm statistics their
// columns.
//
// For 128 x 128 x 64 of bf16: 2.1 MFLOP for 32 KiB, 64 operations a byte from L2. 72 or 96 KiB of
// shared memory: two blocks a multiprocessor, on A100 two or one. Registers: 92 to 128 (tf32 input
// gradient: 159 to 168), no spills. Run on an H200 by its tests, not timed.
//
// Channels of a group in whole chunks of 16 bytes, operands aligned to 16; else rung 2.
#include <algorithm>

#include "kernels/conv/staged_epilogue.h"
#include "kernels/conv/tensor_tile.h"
#include "kernels/gpu/gpu.h"
#include "kernels/gpu/tf32.h"

namespace strata::gpu::conv {
namespace {

constexpr int M = 128, threads = 256, stages = 3;

template <int N>
constexpr size_t stage_bytes = (M + N) * 128;
template <int N>
constexpr size_t shared_bytes = std::max(stages* stage_bytes<N>, StagedTile<N>::bytes);

struct Places {  // in shared memory: registers are scarce
  Place at[M];
};

// E: the element type; float means tf32.
template <class E, bool Forward, int N>
__global__ void __launch_bounds__(threads, Forward || sizeof(E) == 2 ? 2 : 1)
    tensor_core_kernel(Gather gather, const E* source, const E* weight, Epilogue<E> epilogue,
                       float* statistics) {
  using A = TensorTile<E, true>;
  using B = TensorTile<E, Forward>;
  constexpr int K = A::line_elements;
  char* shared = dynamic_shared<char>();
  const int first_pixel = static_cast<int>(blockIdx.x) * M, group = static_cast<int>(blockIdx.z);
  const TileChannels channels{group * gather.out_channels, static_cast<int>(blockIdx.y) * N,
                              gather.out_channels};
  source += group * gather.channels;
  // A thread copies one chunk of every 32nd line.
  const int chunk = static_cast<int>(threadIdx.x) % 8, line = static_cast<int>(threadIdx.x) / 8;
  Places& places = block_shared<Places>();
  if (threadIdx.x < M)
    places.at[threadIdx.x] = gather.place(first_pixel + static_cast<int>(threadIdx.x));
  __syncthreads();

  auto copy_a = [&](char* tile, int k0) {
    const int k = k0 + chunk * A::chunk_elements;
    const bool valid = k < gather.K();
    const Tap tap = gather.tap(valid ? k : 0);
#pragma unroll
    for (int i = 0; i < M / 32; ++i) {
      const E* address = valid ? gather.address(source, places.at[line + i * 32], tap) : nullptr;
      copy_async<16>(A::chunk(tile, line + i * 32, chunk), address ? address : source,
                     address != nullptr);
    }
  };
  // Rolled up for the input gradient: its index arithmetic would cost registers that spill.
  auto copy_b = [&](char* tile, int k0) {
#pragma unroll(Forward ? N / 32 : 1)
    for (int i = 0; i < N / 32; ++i) {
      const int l = line + i * 32;
      int n = l, k = k0 + chunk * A::chunk_elements;  // forward: a line is one channel of out
      if constexpr (!Forward) n = l / K * K + chunk * A::chunk_elements, k = k0 + l % K;
      n += channels.first;
      const bool valid = n < channels.end && k < gather.K();
      int64_t offset = 0;
      if constexpr (Forward) {
        offset = static_cast<int64_t>(channels.base + n) * gather.K() + k;
      } else if (valid) {
        const int o = group * gather.channels + gather.tap(k).channel;
        offset = (static_cast<int64_t>(o) * gather.weight_taps +
                  gather.weight_tap(gather.per_tap.quotient(k))) *
                     gather.out_channels +
                 n;
      }
      copy_async<16>(B::chunk(tile, l, chunk), weight + (valid ? offset : 0), valid);
    }
  };
  const int tiles = (gather.K() + K - 1) / K;
  auto fetch = [&](int t) {
    if (t < tiles) {
      char* stage = shared + t % stages * stage_bytes<N>;
      copy_a(stage, t * K);
      copy_b(stage + M * 128, t * K);
    }
    copy_commit();
  };

  float sum[TensorWarps<N>::MI][TensorWarps<N>::NI][4] = {};
  for (int t = 0; t < stages - 1; ++t) fetch(t);
  for (int t = 0; t < tiles; ++t) {
    copy_wait<stages - 2>();
    __syncthreads();
    fetch(t + stages - 1);
    char* stage = shared + t % stages * stage_bytes<N>;
    tensor_multiply<E, true, Forward, N>(stage, stage + M * 128, sum);
  }

  copy_wait<0>();
  __syncthreads();
  float* staged = dynamic_shared<float>();
  stage_sums<N>(sum, staged);
  __syncthreads();
  if (statistics)
    write_staged_statistics<N, threads>(staged, statistics, static_cast<int>(blockIdx.x), channels,
                                        gather.out_pitch);
  write_staged<E, N, threads>(staged, ConsecutivePixels{gather, first_pixel}, epilogue, channels);
}

template <class E, int N>
void run_tile(const Problem& problem) {
  const ConvShape& k = problem.shape;
  auto config = [&](const Gather& gather) -> LaunchConfig {
    return {.grid = dim3(divide_up(gather.pixels(), M), divide_up(gather.out_channels, N),
                         static_cast<unsigned>(k.groups)),
            .block = threads,
            .shared = shared_bytes<N>};
  };
  const Epilogue<E> epilogue = epilogue_of<E>(problem);
  const E* weight = static_cast<const E*>(problem.weight);
  if (problem.pass == Pass::input_gradient) {
    float* no_statistics = nullptr;
    for (const Gather& gather : input_gradient_classes(k))
      launch<tensor_core_kernel<E, false, N>>(config(gather), gather,
                                              static_cast<const E*>(problem.gradient), weight,
                                              epilogue, no_statistics);
    return;
  }
  const Gather gather = forward_gather(k);
  const Statistics statistics(problem, divide_up(gather.pixels(), M));
  launch<tensor_core_kernel<E, true, N>>(config(gather), gather, static_cast<const E*>(problem.x),
                                         weight, epilogue, statistics.partial());
  statistics.finish();
}

void run(const Problem& problem) {
  if (problem.pass == Pass::weight_gradient) return tensor_core_weight_gradient(problem);
  const ConvShape& k = problem.shape;
  const int64_t channels = (problem.pass == Pass::forward ? k.O : k.C) / k.groups;
  visit_tensor_type(k.dtype, [&]<class E>(Type<E>) {
    if (channels <= 64)
      run_tile<E, 64>(problem);
    else
      run_tile<E, 128>(problem);
  });
}

bool supports(const Problem& problem) {
  const ConvShape& k = problem.shape;
  const int64_t chunk = 16 / static_cast<int64_t>(size_of(k.dtype));
  return device().arch >= 80 && k.dtype != DType::f64 && !has_zero(k) && fits_int(k) &&
         k.groups <= 65535 && k.C / k.groups % chunk == 0 && k.O / k.groups % chunk == 0 &&
         aligned(problem, 16) && !normalises_input(problem.norm);
}

}  // namespace

const ConvRung tensor_core = {"03_tensor_core",
                              "mma.sync fed by a ring of cp.async; bf16, f16, tf32", supports, run};

}  // namespace strata::gpu::conv
