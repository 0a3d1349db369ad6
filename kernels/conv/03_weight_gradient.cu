// Rung 3 for the weight gradient: the pixels are the axis of the sum, as in rung 2, and both
// operands lie with it outside: the chunks of 16 bytes are channels, and fragments are taken
// transposed by ldmatrix (tf32: by 32-bit reads). The pixels are split over blocks, whose sums are
// added in order (weight_split.h, fold).
//
// A tile of the sum is a line of 128 bytes long: 64 pixels of bf16, 32 of f32. The gathered operand
// needs the place of its pixel for each chunk. 96 KiB of shared memory, workspace splits O R S C of
// f32. Registers: 118 to 128 (tf32: 195 to 203), no spills. Run on an H200 by its tests, not timed.
#include "kernels/conv/gather.h"
#include "kernels/conv/partials.h"
#include "kernels/conv/tensor_tile.h"
#include "kernels/conv/weight_split.h"
#include "kernels/gpu/gpu.h"
#include "kernels/gpu/scratch.h"

namespace strata::gpu::conv {
namespace {

constexpr int M = 128, threads = 256, stages = 3;
template <int N>
constexpr size_t stage_bytes = (M + N) * 128;

template <class E, int N>
__global__ void __launch_bounds__(threads, sizeof(E) == 2 ? 2 : 1)
    tensor_weight_gradient_kernel(Gather gather, const E* x, const E* gradient, WeightSplit split,
                                  float* partial) {
  using Tile = TensorTile<E, false>;
  constexpr int K = Tile::line_elements;
  char* shared = dynamic_shared<char>();
  const int first_o = static_cast<int>(blockIdx.x) * M, first_n = static_cast<int>(blockIdx.y) * N;
  const int group = static_cast<int>(blockIdx.z) % split.groups,
            part = static_cast<int>(blockIdx.z) / split.groups;
  const int begin = part * split.pixels, end = min(gather.pixels(), begin + split.pixels);
  x += group * gather.channels;
  gradient += group * gather.out_channels;
  const int chunk = static_cast<int>(threadIdx.x) % 8, line = static_cast<int>(threadIdx.x) / 8;

  const int tiles = (end - begin + K - 1) / K;
  auto fetch = [&](int t) {
    if (t < tiles) {
      char* stage = shared + t % stages * stage_bytes<N>;
#pragma unroll
      for (int i = 0; i < M / 32; ++i) {
        const int l = line + i * 32, pixel = begin + t * K + l % K,
                  o = first_o + l / K * K + chunk * Tile::chunk_elements;
        const bool valid = pixel < end && o < gather.out_channels;
        copy_async<16>(Tile::chunk(stage, l, chunk),
                       gradient + (valid ? static_cast<int64_t>(pixel) * gather.out_pitch + o : 0),
                       valid);
      }
#pragma unroll
      for (int i = 0; i < N / 32; ++i) {
        const int l = line + i * 32, pixel = begin + t * K + l % K,
                  n = first_n + l / K * K + chunk * Tile::chunk_elements;
        const E* address = nullptr;
        if (pixel < end && n < gather.K())
          address = gather.address(x, gather.place(pixel), gather.tap(n));
        copy_async<16>(Tile::chunk(stage + M * 128, l, chunk), address ? address : x,
                       address != nullptr);
      }
    }
    copy_commit();
  };

  using Warps = TensorWarps<N>;
  float sum[Warps::MI][Warps::NI][4] = {};
  for (int t = 0; t < stages - 1; ++t) fetch(t);
  for (int t = 0; t < tiles; ++t) {
    copy_wait<stages - 2>();
    __syncthreads();
    fetch(t + stages - 1);
    char* stage = shared + t % stages * stage_bytes<N>;
    tensor_multiply<E, false, false, N>(stage, stage + M * 128, sum);
  }
  copy_wait<0>();

  partial += part * static_cast<int64_t>(gather.out_pitch) * gather.K();
  const int lane = static_cast<int>(threadIdx.x % 32);
#pragma unroll
  for (int i = 0; i < Warps::MI; ++i) {
#pragma unroll
    for (int j = 0; j < Warps::NI; ++j) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const int o = first_o + Warps::row() + i * 16 + half * 8 + lane / 4,
                  n = first_n + Warps::column() + j * 8 + lane % 4 * 2;
        if (o >= gather.out_channels || n >= gather.K()) continue;  // K is even
        Vec<float, 2> pair;
        pair[0] = sum[i][j][half * 2], pair[1] = sum[i][j][half * 2 + 1];
        store_vector(
            partial + static_cast<int64_t>(group * gather.out_channels + o) * gather.K() + n, pair);
      }
    }
  }
}

template <class E, int N>
void run_tile(const Problem& problem) {
  const ConvShape& k = problem.shape;
  const Gather gather = forward_gather(k);
  const WeightSplit split(k, M, N, 128 / static_cast<int>(sizeof(E)));
  const int64_t size = k.O * gather.K();
  Scratch partial(static_cast<size_t>(split.parts * size) * sizeof(float));
  launch<tensor_weight_gradient_kernel<E, N>>(
      {.grid = dim3(divide_up(gather.out_channels, M), divide_up(gather.K(), N),
                    static_cast<unsigned>(split.parts * split.groups)),
       .block = threads,
       .shared = stages * stage_bytes<N>},
      gather, static_cast<const E*>(problem.x), static_cast<const E*>(problem.gradient), split,
      partial.as<float>());
  fold(k.dtype, partial.as<void>(), split.parts, size, problem.out);
}

}  // namespace

void tensor_core_weight_gradient(const Problem& problem) {
  const ConvShape& k = problem.shape;
  visit_tensor_type(k.dtype, [&]<class E>(Type<E>) {
    if (k.R * k.S * (k.C / k.groups) <= 64)
      run_tile<E, 64>(problem);
    else
      run_tile<E, 128>(problem);
  });
}

}  // namespace strata::gpu::conv
