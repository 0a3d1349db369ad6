// Per-channel statistics and affine maps of [samples, rows, C] arrays: what batch norm (one sample,
// statistics per channel) and group norm (statistics per sample and group) have in common.
//
// Channels are last, and C may be as small as 3. So that the inner loop is long for every C, k
// neighbouring rows are taken as one row of P = k C elements, with the per-channel constants
// repeated k times; sums of P are folded to C at the end.
//
// Sums run over fixed chunks of rows in the compute type and combine in order in f64, so results
// do not depend on the thread count.
//
// Source of the combination: Chan, Golub and LeVeque 1983, "Algorithms for computing the sample
// variance".
#pragma once

#include <cstdint>

#include "kernels/common/numeric.h"

namespace strata {

// mean[s,c] = mean over rows of x, m2[s,c] = sum over rows of (x - mean)^2. Accurate also when the
// mean is large against the deviation: each chunk is shifted by a value of its own near the mean.
// Cost: x is read once.
struct ChannelMomentsArgs {
  const void* x = nullptr;  // [samples, rows, C]
  double* mean = nullptr;   // [samples, C]
  double* m2 = nullptr;     // [samples, C]
  int64_t samples = 1, rows = 0, channels = 0;
  DType dtype = DType::f32;
};

// y = (x - mean) factor + offset (+ residual), then max(0, .) with relu; NaN passes through.
// Cost: x (and residual) read once, y written once.
struct ChannelAffineArgs {
  const void* x = nullptr;         // [samples, rows, C]
  const void* residual = nullptr;  // the same, or null
  void* y = nullptr;               // the same
  const double* mean = nullptr;    // [samples, C]
  const double* factor = nullptr;  // [samples, C]
  const double* offset = nullptr;  // [samples, C]
  int64_t samples = 1, rows = 0, channels = 0;
  DType dtype = DType::f32;
  bool relu = false;
};

// The sums a backward pass needs: of g and of g (x - mean), where g = dy, or with relu
// g = y > 0 ? dy : 0. When y is null, the sign of y is worked out again from x (bit for bit as
// the forward pass did, so only without a residual): one array less to read.
// Cost: dy, x (and y) read once; masked, when wanted, written once.
struct ChannelGradientSumsArgs {
  const void* x = nullptr;         // [samples, rows, C]
  const void* y = nullptr;         // the same, or null
  const void* dy = nullptr;        // the same
  void* masked = nullptr;          // null, or where g goes (the residual's gradient)
  const double* mean = nullptr;    // [samples, C]
  const double* factor = nullptr;  // [samples, C]; factor and offset only with relu and null y
  const double* offset = nullptr;  // [samples, C]
  double* sum_g = nullptr;         // [samples, C]
  double* sum_gx = nullptr;        // [samples, C]
  int64_t samples = 1, rows = 0, channels = 0;
  DType dtype = DType::f32;
  bool relu = false;
};

// dx = a g + b + c (x - mean), the four constants [samples, C]; g as above.
// Cost: dy, x (and y) read once, dx written once.
struct ChannelGradientArgs {
  const void* x = nullptr;
  const void* y = nullptr;
  const void* dy = nullptr;
  void* dx = nullptr;
  const double* mean = nullptr;
  const double* factor = nullptr;
  const double* offset = nullptr;
  const double* a = nullptr;
  const double* b = nullptr;
  const double* c = nullptr;
  int64_t samples = 1, rows = 0, channels = 0;
  DType dtype = DType::f32;
  bool relu = false;
};

namespace cpu {
void channel_moments(const ChannelMomentsArgs& args);
void channel_affine(const ChannelAffineArgs& args);
void channel_gradient_sums(const ChannelGradientSumsArgs& args);
void channel_gradient(const ChannelGradientArgs& args);
}  // namespace cpu
// The same on the GPU (channel_maps.cu, channel_sums.cu); sums combine in an order of their own.
namespace gpu {
void channel_moments(const ChannelMomentsArgs& args);
void channel_affine(const ChannelAffineArgs& args);
void channel_gradient_sums(const ChannelGradientSumsArgs& args);
void channel_gradient(const ChannelGradientArgs& args);
}  // namespace gpu

}  // namespace strata
