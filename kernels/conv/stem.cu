// The stem: a first convolution over images of few channels (3), forward, on tensor cores, for bf16
// and f16. Rung 3 cannot gather it, for a pixel has only 6 bytes, and rung 4's blocks of 64
// channels would be zeros to 95 %.
//
// Here the column k of the gathered matrix runs over taps and channels together, R S C = 147 for
// 7x7x3, padded once to a multiple of 64 instead of once a tap. A block of 128 pixels x 64 channels
// gathers its tile of the matrix element by element into shared memory; neighbouring k are
// neighbours in x along a filter's row, so the reads hit the L1 cache. A step of K is 64 columns,
// gathered while nothing is multiplied: with K this short a ring would not fill. The weight is the
// other operand, gathered the same way as rows of K.
//
// 2.4 MFLOP a block (7x7x3) for 55 KiB read from L1 and L2, 43 operations a byte. Shared memory: 34
// KiB. Registers: 92,
// no spills. H200, ResNet-50, batch 128, bf16: 0.72 of cuDNN.
#include <algorithm>

#include "kernels/conv/staged_epilogue.h"
#include "kernels/conv/tensor_tile.h"
#include "kernels/gpu/gpu.h"

namespace strata::gpu::conv {
namespace {

constexpr int M = 128, N = 64, K = 64, threads = 256;
constexpr size_t shared_bytes = std::max<size_t>((M + N) * 128, StagedTile<N>::bytes);

template <class T>
__global__ void __launch_bounds__(threads, 2)
    stem_kernel(Gather gather, const T* x, const T* weight, Epilogue<T> epilogue,
                float* statistics) {
  using Tile = TensorTile<T, true>;
  char* a_tile = dynamic_shared<char>();
  char* b_tile = a_tile + M * 128;
  const int first_pixel = static_cast<int>(blockIdx.x) * M;
  const TileChannels channels{0, static_cast<int>(blockIdx.y) * N, gather.out_channels};
  // A thread fills one chunk of every 32nd line.
  const int chunk = static_cast<int>(threadIdx.x) % 8, line = static_cast<int>(threadIdx.x) / 8;

  float sum[TensorWarps<N>::MI][TensorWarps<N>::NI][4] = {};
  for (int k0 = 0; k0 < gather.K(); k0 += K) {
    const int k = k0 + chunk * 8;
    for (int l = line; l < M; l += 32) {
      const Place place = gather.place(first_pixel + l);
      Vec<T, 8> values;
#pragma unroll
      for (int e = 0; e < 8; ++e) {
        const T* address =
            k + e < gather.K() ? gather.address(x, place, gather.tap(k + e)) : nullptr;
        values[e] = address ? *address : T(0.0f);
      }
      store_vector(reinterpret_cast<T*>(Tile::chunk(a_tile, l, chunk)), values);
    }
    for (int l = line; l < N; l += 32) {
      const int o = channels.first + l;
      Vec<T, 8> values;
#pragma unroll
      for (int e = 0; e < 8; ++e)
        values[e] = o < channels.end && k + e < gather.K()
                        ? weight[static_cast<int64_t>(o) * gather.K() + k + e]
                        : T(0.0f);
      store_vector(reinterpret_cast<T*>(Tile::chunk(b_tile, l, chunk)), values);
    }
    __syncthreads();
    tensor_multiply<T, true, true, N>(a_tile, b_tile, sum);
    __syncthreads();
  }
  float* staged = dynamic_shared<float>();
  stage_sums<N>(sum, staged);
  __syncthreads();
  if (statistics)
    write_staged_statistics<N, threads>(staged, statistics, static_cast<int>(blockIdx.x), channels,
                                        gather.out_pitch);
  write_staged<T, N, threads>(staged, gather, epilogue, first_pixel, channels);
}

template <class T>
void run_typed(const Problem& problem) {
  const Gather gather = forward_gather(problem.shape);
  const Statistics statistics(problem, divide_up(gather.pixels(), M));
  launch<stem_kernel<T>>(
      {.grid = dim3(divide_up(gather.pixels(), M), divide_up(gather.out_channels, N)),
       .block = threads,
       .shared = shared_bytes},
      gather, static_cast<const T*>(problem.x), static_cast<const T*>(problem.weight),
      epilogue_of<T>(problem), statistics.partial());
  statistics.finish();
}

void run(const Problem& problem) {
  if (problem.shape.dtype == DType::bf16)
    run_typed<bf16>(problem);
  else
    run_typed<f16>(problem);
}

bool supports(const Problem& problem) {
  const ConvShape& k = problem.shape;
  return device().arch >= 80 && problem.pass == Pass::forward && size_of(k.dtype) == 2 &&
         !has_zero(k) && fits_int(k) && k.groups == 1 && k.C < 8 && !normalises_input(problem.norm);
}

}  // namespace

const ConvRung stem = {"stem", "few channels: taps and channels as one axis of the product",
                       supports, run};

}  // namespace strata::gpu::conv
