// Rung 2 for the weight gradient: the same tiles, but the sum runs over all pixels.
//
//   M = O, N = R S C, K = N P Q:   gw[o, n] = sum over pixels of g[pixel, o] x[gather(pixel, n)]
//
// The result is small and the sum long (a layer of ResNet-50: 64 x 576 from 3136 pixels an image),
// so the pixels are split over blocks until the machine is full. Each leaves its sums in the
// workspace, and they are added in order: the same bits each time, no atomics. Both operands lie
// with the sum's axis outside, so vectors go into the tiles as they are. Columns (tap, channel) of
// a thread stay the same, and the pixels walk: each vector needs its pixel's place, two
// multiplications instead of divisions (Divisor).
//
// Workspace: splits O R S C of f32. Registers: 144 to 229, f64 252 to 254, no spills. Run on an
// H200 by its tests, not timed.
#include <algorithm>

#include "kernels/conv/epilogue.h"
#include "kernels/conv/gather.h"
#include "kernels/conv/simt_tile.h"
#include "kernels/conv/weight_split.h"
#include "kernels/gpu/gpu.h"

namespace strata::gpu::conv {
namespace {

constexpr int M = SimtTile::M, N = SimtTile::N, K = SimtTile::K;

template <class T, int V>
__global__ void __launch_bounds__(SimtTile::threads)
    implicit_weight_gradient_kernel(Gather gather, const T* x, const T* gradient, WeightSplit split,
                                    Compute<T>* partial) {
  using Sum = Compute<T>;
  SimtShared<Sum>& shared = block_shared<SimtShared<Sum>>();
  const int first_o = static_cast<int>(blockIdx.x) * M, first_n = static_cast<int>(blockIdx.y) * N;
  const int group = static_cast<int>(blockIdx.z) % split.groups,
            part = static_cast<int>(blockIdx.z) / split.groups;
  const int begin = part * split.pixels, end = min(gather.pixels(), begin + split.pixels);
  x += group * gather.channels;
  gradient += group * gather.out_channels;

  Staged<T, V, M, false> a;
  Staged<T, V, N, false> b;
  auto load = [&](int k0) {
#pragma unroll
    for (int i = 0; i < a.vectors; ++i) {
      const int pixel = k0 + a.k(i), o = first_o + a.outer(i);
      const bool valid = pixel < end && o < gather.out_channels;
      a.load(i, valid ? gradient + static_cast<int64_t>(pixel) * gather.out_pitch + o : nullptr);
    }
#pragma unroll
    for (int i = 0; i < b.vectors; ++i) {
      const int pixel = k0 + b.k(i), n = first_n + b.outer(i);
      const bool valid = pixel < end && n < gather.K();
      b.load(i, valid ? gather.address(x, gather.place(pixel), gather.tap(n)) : nullptr);
    }
  };
  Sum sum[8][8] = {};
  if constexpr (fetch_ahead<T>) load(begin);
  for (int k0 = begin; k0 < end; k0 += K) {
    if constexpr (!fetch_ahead<T>) load(k0);
    a.store(shared.a);
    b.store(shared.b);
    __syncthreads();
    if (fetch_ahead<T> && k0 + K < end) load(k0 + K);
    simt_multiply(shared, sum);
    __syncthreads();
  }

  const int64_t size = static_cast<int64_t>(gather.out_pitch) * gather.K();
  partial += part * size + static_cast<int64_t>(group) * gather.out_channels * gather.K();
  [[maybe_unused]] const bool whole = gather.K() % 4 == 0;
#pragma unroll
  for (int i = 0; i < 8; ++i) {
    const int o = first_o + simt_row(i);
    if (o >= gather.out_channels) continue;
    Sum* row = partial + static_cast<int64_t>(o) * gather.K();
#pragma unroll
    for (int j = 0; j < 8; j += 4) {
      const int n = first_n + simt_column(j);
      if constexpr (sizeof(Sum) == 4) {
        if (whole && n < gather.K()) {
          Vec<Sum, 4> four;
#pragma unroll
          for (int e = 0; e < 4; ++e) four[e] = sum[i][j + e];
          store_vector(row + n, four);
          continue;
        }
      }
#pragma unroll
      for (int e = 0; e < 4; ++e)
        if (n + e < gather.K()) row[n + e] = sum[i][j + e];
    }
  }
}

template <class T, int V>
void run_vectors(const Problem& problem) {
  const ConvShape& k = problem.shape;
  const Gather gather = forward_gather(k);
  const WeightSplit split(k, M, N, K);
  const int64_t size = k.O * gather.K();
  Scratch partial(static_cast<size_t>(split.parts * size) * sizeof(Compute<T>));
  launch<implicit_weight_gradient_kernel<T, V>>(
      {.grid = dim3(divide_up(gather.out_channels, M), divide_up(gather.K(), N),
                    static_cast<unsigned>(split.parts * split.groups)),
       .block = SimtTile::threads},
      gather, static_cast<const T*>(problem.x), static_cast<const T*>(problem.gradient), split,
      partial.as<Compute<T>>());
  fold(k.dtype, partial.as<void>(), split.parts, size, problem.out);
}

}  // namespace

void implicit_weight_gradient(const Problem& problem) {
  const ConvShape& k = problem.shape;
  visit_float(k.dtype, [&]<class T>(Type<T>) {
    constexpr int V = simt_vector<T>;
    if (k.C / k.groups % V == 0 && k.O / k.groups % V == 0 && aligned(problem, 16))
      run_vectors<T, V>(problem);
    else
      run_vectors<T, 1>(problem);
  });
}

}  // namespace strata::gpu::conv
