// Rung 2: tiles of points pass through shared memory (Nyland, Harris and Prins 2007). A block's
// threads load 128 points together, one each, and all meet all of them from there.
//
// What changed: device memory is read N / 128 times instead of N times a point: 8 N^2 / 128 bytes.
// The inner loop has a trip count that is known for all tiles but the last, so it unrolls, and its
// reads are broadcasts of 8 bytes without bank conflicts. FLOPs: 14 N^2. Shared memory: 1 KiB a
// block. Registers: see README.md. Run on an H200 by its tests, not timed.
#include "kernels/embedding/rung.h"
#include "kernels/gpu/gpu.h"

namespace strata::gpu {
namespace {

constexpr int tile = 128;  // threads of a block, too

struct Tile {
  float x[tile], y[tile];
};

struct Sums {
  float x = 0, y = 0, weight = 0;

  DEVICE void meet(float dx, float dy) {
    const float w = 1.0f / (1.0f + dx * dx + dy * dy);
    weight += w;
    x += w * w * dx;
    y += w * w * dy;
  }
};

__global__ __launch_bounds__(tile) void repulsion_tiles_kernel(RepulsionArgs args) {
  Tile& shared = block_shared<Tile>();
  const int thread = static_cast<int>(threadIdx.x);
  const int64_t i = int64_t{blockIdx.x} * tile + thread;
  const bool mine = i < args.n;  // the others load and wait
  const float x = mine ? args.y[2 * i] : 0.0f, y = mine ? args.y[2 * i + 1] : 0.0f;
  Sums sums;
  for (int64_t first = 0; first < args.n; first += tile) {
    if (first + thread < args.n) {
      shared.x[thread] = args.y[2 * (first + thread)];
      shared.y[thread] = args.y[2 * (first + thread) + 1];
    }
    __syncthreads();
    Sums part;
    if (first + tile <= args.n) {
#pragma unroll 8
      for (int j = 0; j < tile; ++j) part.meet(x - shared.x[j], y - shared.y[j]);
    } else {
      const int rest = static_cast<int>(args.n - first);
      for (int j = 0; j < rest; ++j) part.meet(x - shared.x[j], y - shared.y[j]);
    }
    sums.x += part.x;
    sums.y += part.y;
    sums.weight += i >= first && i < first + tile ? part.weight - 1.0f : part.weight;
    __syncthreads();
  }
  if (!mine) return;
  args.force[2 * i] = sums.x;
  args.force[2 * i + 1] = sums.y;
  args.weight[i] = sums.weight;
}

}  // namespace

void repulsion_tiles(const RepulsionArgs& args) {
  launch<repulsion_tiles_kernel>({.grid = divide_up(args.n, tile), .block = tile}, args);
}

}  // namespace strata::gpu
