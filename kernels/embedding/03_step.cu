// The rest of an iteration: z by one block in a fixed order, and a thread a point that gathers the
// attraction along its row of P and moves. Nothing waits for the host between iterations.
//
// Bytes of a step: 12 an entry of P and 8 of y, scattered, which is small enough to stay in L2.
// Rows of very different lengths leave threads of a warp idle. Registers: see README.md. Run on an
// H200 by its tests, not timed.
#include "kernels/embedding/embedding.h"
#include "kernels/gpu/gpu.h"

namespace strata::gpu {
namespace {

constexpr int threads = 256;

struct ThreadSums {
  double value[threads];
};

__global__ __launch_bounds__(threads) void total_weight_kernel(int64_t n, const float* weight,
                                                               double* z) {
  ThreadSums& sums = block_shared<ThreadSums>();
  const int thread = static_cast<int>(threadIdx.x);
  double total = 0;
  for (int64_t i = thread; i < n; i += threads) total += static_cast<double>(weight[i]);
  sums.value[thread] = total;
  __syncthreads();
  for (int half = threads / 2; half > 0; half /= 2) {
    if (thread < half) sums.value[thread] += sums.value[thread + half];
    __syncthreads();
  }
  if (thread == 0) *z = sums.value[0];
}

// One coordinate of one point.
DEVICE void move(const MapStepArgs& args, int64_t at, float pull, float share) {
  const float y = args.y[at], velocity = args.velocity[at];
  const float slope = 4.0f * (args.exaggeration * pull - args.force[at] * share) +
                      args.anchor * (y - args.origin[at]);
  float gain = args.gain[at];
  gain = slope * velocity < 0.0f ? gain + 0.2f : gain * 0.8f;
  gain = gain < 0.01f ? 0.01f : gain;
  const float step = args.momentum * velocity - args.rate * gain * slope;
  args.gain[at] = gain;
  args.velocity[at] = step;
  args.next[at] = y + step;
}

__global__ __launch_bounds__(threads) void map_step_kernel(MapStepArgs args) {
  const int64_t i = int64_t{blockIdx.x} * threads + threadIdx.x;
  if (i >= args.n) return;
  const float share = static_cast<float>(1.0 / *args.z);
  const float x = args.y[2 * i], y = args.y[2 * i + 1];
  float px = 0, py = 0;
  const int64_t end = args.start[i + 1];
  for (int64_t e = args.start[i]; e < end; ++e) {
    const int64_t other = args.column[e];
    const float dx = x - args.y[2 * other], dy = y - args.y[2 * other + 1];
    const float strength = args.value[e] / (1.0f + dx * dx + dy * dy);
    px += strength * dx;
    py += strength * dy;
  }
  move(args, 2 * i, px, share);
  move(args, 2 * i + 1, py, share);
}

}  // namespace

void total_weight(int64_t n, const float* weight, double* z) {
  launch<total_weight_kernel>({.grid = 1, .block = threads}, n, weight, z);
}

void map_step(const MapStepArgs& args) {
  launch<map_step_kernel>({.grid = divide_up(args.n, threads), .block = threads}, args);
}

}  // namespace strata::gpu
