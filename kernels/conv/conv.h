// Two-dimensional convolutions (cross-correlations) and their two gradients; images NHWC, weights
// OHWI.
//
//   out[n, p, q, o]  = sum over r, s, c of x[n, p sh - top + r dh, q sw - left + s dw, c] w[o, r,
//   s, c] gx[n, h, w, c]   = sum over r, s, o of g[n, p, q, o] w[o, r, s, c]     where p, q meet h,
//   w gw[o, r, s, c]   = sum over n, p, q of g[n, p, q, o] x[n, ..., ..., c]
//
// with c running over the channels of o's group. Each costs 2 N P Q O R S C / groups operations;
// the least traffic is each of the three arrays once: a 3x3 convolution 64 -> 64 of a 32x32 image
// does 72 operations a byte, a depthwise 3x3 about 2, so the first is bound by arithmetic, the
// second by memory.
//
// f32 stands on oneDNN (NHWC as it is; the weight is reordered to the blocked layout the kernel
// wants, R S C O elements a call, small beside the work); f64, and what oneDNN refuses, on our own
// loops: one strided matrix product for each row of the image and each place of the kernel, without
// copying patches (im2col). Results are the same for the same shapes, thread count and machine.
#pragma once

#include <cstdint>

#include "kernels/common/numeric.h"

namespace strata::cpu {

struct ConvShape {
  DType dtype = DType::f32;  // f32 or f64
  int64_t N = 0, H = 0, W = 0, C = 0;
  int64_t O = 0, R = 1, S = 1;  // kernel height and width
  int64_t P = 0, Q = 0;         // output height and width
  int64_t stride_h = 1, stride_w = 1, dilation_h = 1, dilation_w = 1;
  int64_t top = 0, bottom = 0, left = 0, right = 0;
  int64_t groups = 1;
};

// out [N, P, Q, O] = conv(x, weight) + bias + residual, then max(0, .) if asked. bias [O] and
// residual [N, P, Q, O] may be null.
void conv2d(const ConvShape& shape, const void* x, const void* weight, const void* bias,
            const void* residual, bool relu, void* out);
// gradient [N, P, Q, O], weight -> out [N, H, W, C].
void conv2d_input_gradient(const ConvShape& shape, const void* gradient, const void* weight,
                           void* out);
// x, gradient -> out [O, R, S, C / groups]; bias_out [O], the sum of the gradient, may be null.
void conv2d_weight_gradient(const ConvShape& shape, const void* x, const void* gradient, void* out,
                            void* bias_out);
// masked[i] = out[i] > 0 ? gradient[i] : 0, the gradient of a fused ReLU.
void relu_gradient(DType dtype, int64_t count, const void* out, const void* gradient, void* masked);

}  // namespace strata::cpu
