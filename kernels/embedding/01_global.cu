// Rung 1: a thread a point, which reads all others from device memory.
//
// Bytes: 8 N^2 asked for, which the caches serve, since all threads of the device read the same
// point at about the same time; each read is one broadcast a warp. FLOPs: 14 N^2, one of them a
// division. Registers: see README.md. Run on an H200 by its tests, not timed.
#include "kernels/embedding/rung.h"
#include "kernels/gpu/gpu.h"

namespace strata::gpu {
namespace {

constexpr int threads = 128, tile = 128;

__global__ __launch_bounds__(threads) void repulsion_global_kernel(RepulsionArgs args) {
  const int64_t i = int64_t{blockIdx.x} * threads + threadIdx.x;
  if (i >= args.n) return;
  const float x = args.y[2 * i], y = args.y[2 * i + 1];
  float fx = 0, fy = 0, total = 0;
  for (int64_t first = 0; first < args.n; first += tile) {
    const int64_t last = first + tile < args.n ? first + tile : args.n;
    float tx = 0, ty = 0, tw = 0;
    for (int64_t j = first; j < last; ++j) {
      const float dx = x - args.y[2 * j], dy = y - args.y[2 * j + 1];
      const float w = 1.0f / (1.0f + dx * dx + dy * dy);
      tw += w;
      tx += w * w * dx;
      ty += w * w * dy;
    }
    fx += tx;
    fy += ty;
    total += i >= first && i < last ? tw - 1.0f : tw;  // without itself
  }
  args.force[2 * i] = fx;
  args.force[2 * i + 1] = fy;
  args.weight[i] = total;
}

}  // namespace

void repulsion_global(const RepulsionArgs& args) {
  launch<repulsion_global_kernel>({.grid = divide_up(args.n, threads), .block = threads}, args);
}

}  // namespace strata::gpu
