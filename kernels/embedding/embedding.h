// The steps of t-SNE (van der Maaten and Hinton 2008) in the plane, with exact repulsion: every
// point meets every other, which on a GPU is fast well beyond ten thousand points and needs no
// tree. With w_ij = 1 / (1 + |y_i - y_j|^2):
//
//   repulsion     force_i = sum_{j != i} w_ij^2 (y_i - y_j), weight_i = sum_{j != i} w_ij;
//                 14 N^2 operations, an N-body problem (Nyland, Harris and Prins 2007)
//   total_weight  z = sum_i weight_i, in f64 and a fixed order
//   map_step      slope_i = 4 (exaggeration sum_j p_ij w_ij (y_i - y_j) - force_i / z)
//                           + anchor (y_i - origin_i),
//                 then momentum with gains (Jacobs 1988), P sparse
//
// All in f32 except z. Sums over other points are taken in tiles, whose sums are added one by one:
// the rounding error grows with the length and the number of tiles, not with N.
#pragma once

#include <cstdint>

namespace strata {

struct RepulsionArgs {
  int64_t n = 0;
  const float* y = nullptr;  // [n, 2]
  float* force = nullptr;    // [n, 2]
  float* weight = nullptr;   // [n]
};

struct MapStepArgs {
  int64_t n = 0;
  // P by rows: row i is entries start[i] to start[i + 1].
  const int64_t* start = nullptr;   // [n + 1]
  const int32_t* column = nullptr;  // [start[n]]
  const float* value = nullptr;     // [start[n]]
  const float* force = nullptr;     // [n, 2]
  const double* z = nullptr;        // [1]
  const float* origin = nullptr;    // [n, 2]
  float exaggeration = 1, anchor = 0, rate = 0, momentum = 0;
  const float* y = nullptr;   // [n, 2]
  float* next = nullptr;      // [n, 2], another array than y: neighbours still read that
  float* velocity = nullptr;  // [n, 2]
  float* gain = nullptr;      // [n, 2]
};

namespace cpu {
void repulsion(const RepulsionArgs& args);
void total_weight(int64_t n, const float* weight, double* z);
void map_step(const MapStepArgs& args);
}  // namespace cpu

// The same on the current stream; all arrays are device memory. Equal to the CPU's up to rounding.
namespace gpu {
void repulsion(const RepulsionArgs& args);
void total_weight(int64_t n, const float* weight, double* z);
void map_step(const MapStepArgs& args);
}  // namespace gpu

}  // namespace strata
