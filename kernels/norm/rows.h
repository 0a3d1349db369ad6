// Normalisation of rows: layer norm (Ba et al. 2016) and RMS norm (Zhang and Sennrich 2019), over
// the last axis of [rows, C].
//   layer: y = (x - mean) inverse scale + shift,   inverse = 1 / sqrt(mean((x - mean)^2) + epsilon)
//   rms:   y = x inverse scale,                    inverse = 1 / sqrt(mean(x^2) + epsilon)
// Backward, with u = dy scale and z = (x - mean) inverse (mean = 0 for rms):
//   dx = inverse (u - mean(u) - z mean(u z))       (rms: without mean(u))
//   dscale = sum over rows of dy z,  dshift = sum over rows of dy
//
// A row is one thread's work; dscale and dshift are summed over fixed chunks of rows that combine
// in order, so results do not depend on the thread count. Cost: x (and dy) are read from memory
// once (a row stays in the cache between the passes over it), y or dx written once. The GPU's rungs
// (rung.h) move as much, up to the row lengths that their files state.
#pragma once

#include <cstdint>

#include "kernels/common/numeric.h"

namespace strata {

// `inverse`, `mean`, `scale`, `shift` and their gradients are of the compute type: f64 for f64,
// f32 for the others.
struct RowNormArgs {
  const void* x = nullptr;      // [rows, C]
  void* y = nullptr;            // [rows, C]
  const void* scale = nullptr;  // [C], or null: 1
  const void* shift = nullptr;  // [C], or null: 0
  void* mean = nullptr;         // [rows], written; null: RMS norm
  void* inverse = nullptr;      // [rows], written
  int64_t rows = 0, channels = 0;
  double epsilon = 1e-5;
  DType dtype = DType::f32;
};

struct RowNormGradientArgs {
  const void* x = nullptr;        // [rows, C]
  const void* dy = nullptr;       // [rows, C]
  const void* scale = nullptr;    // [C], or null
  const void* mean = nullptr;     // [rows]; null: RMS norm
  const void* inverse = nullptr;  // [rows]
  void* dx = nullptr;             // [rows, C], or null: not wanted
  void* dscale = nullptr;         // [C], or null: not wanted
  void* dshift = nullptr;         // [C], or null: not wanted
  int64_t rows = 0, channels = 0;
  DType dtype = DType::f32;
};

namespace cpu {
void row_norm(const RowNormArgs& args);
void row_norm_gradient(const RowNormGradientArgs& args);
}  // namespace cpu
namespace gpu {
void row_norm(const RowNormArgs& args);
void row_norm_gradient(const RowNormGradientArgs& args);
}  // namespace gpu

}  // namespace strata
