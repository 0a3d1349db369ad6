#include "kernels/embedding/embedding.h"

#include <algorithm>
#include <vector>

#include "kernels/common/parallel.h"

namespace strata::cpu {
namespace {

constexpr int64_t tile = 128;
constexpr int64_t sums = 4096;  // points whose weights one partial sum adds

}  // namespace

void repulsion(const RepulsionArgs& args) {
  // Coordinates apart, so that the loop over a tile is one of vectors.
  std::vector<float> xs(static_cast<size_t>(args.n)), ys(xs);
  for (int64_t i = 0; i < args.n; ++i) {
    xs[static_cast<size_t>(i)] = args.y[2 * i];
    ys[static_cast<size_t>(i)] = args.y[2 * i + 1];
  }
  const float *px = xs.data(), *py = ys.data();
  parallel_for(args.n, 8, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      float x = px[i], y = py[i], fx = 0, fy = 0, total = 0;
      for (int64_t first = 0; first < args.n; first += tile) {
        int64_t last = std::min(args.n, first + tile);
        float tx = 0, ty = 0, tw = 0;
#pragma omp simd reduction(+ : tx, ty, tw)
        for (int64_t j = first; j < last; ++j) {
          float dx = x - px[j], dy = y - py[j], w = 1 / (1 + dx * dx + dy * dy);
          tw += w;
          tx += w * w * dx;
          ty += w * w * dy;
        }
        fx += tx, fy += ty;
        // Without itself; taken off here, while the sum is still small.
        total += i >= first && i < last ? tw - 1 : tw;
      }
      args.force[2 * i] = fx;
      args.force[2 * i + 1] = fy;
      args.weight[i] = total;
    }
  });
}

void total_weight(int64_t n, const float* weight, double* z) {
  std::vector<double> parts(static_cast<size_t>((n + sums - 1) / sums));
  parallel_chunks(n, sums, [&](int64_t chunk, int64_t begin, int64_t end) {
    double total = 0;
    for (int64_t i = begin; i < end; ++i) total += static_cast<double>(weight[i]);
    parts[static_cast<size_t>(chunk)] = total;
  });
  *z = 0;
  for (double part : parts) *z += part;
}

void map_step(const MapStepArgs& args) {
  const float share = static_cast<float>(1 / *args.z);
  parallel_for(args.n, 32, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const float* y = args.y + 2 * i;
      float pull[2] = {};
      for (int64_t e = args.start[i]; e < args.start[i + 1]; ++e) {
        const float* other = args.y + 2 * int64_t{args.column[e]};
        float dx = y[0] - other[0], dy = y[1] - other[1];
        float strength = args.value[e] / (1 + dx * dx + dy * dy);
        pull[0] += strength * dx;
        pull[1] += strength * dy;
      }
      for (int64_t c = 0; c < 2; ++c) {
        int64_t at = 2 * i + c;
        float slope = 4 * (args.exaggeration * pull[c] - args.force[at] * share) +
                      args.anchor * (y[c] - args.origin[at]);
        float gain = args.gain[at];
        gain = std::max(0.01f, slope * args.velocity[at] < 0 ? gain + 0.2f : gain * 0.8f);
        args.gain[at] = gain;
        args.velocity[at] = args.momentum * args.velocity[at] - args.rate * gain * slope;
        args.next[at] = y[c] + args.velocity[at];
      }
    }
  });
}

}  // namespace strata::cpu
