// Two-dimensional convolutions (cross-correlations) and their two gradients; images NHWC, weights
// OHWI.
//
//   out[n, p, q, o] = sum over r, s, c of w[o, r, s, c]
//                                         x[n, p sh - top + r dh, q sw - left + s dw, c]
//   gx[n, h, w, c]  = sum over r, s, o of w[o, r, s, c] g[n, p, q, o]   where p, q meet h, w
//   gw[o, r, s, c]  = sum over n, p, q of g[n, p, q, o] x[n, ..., ..., c]
//
// with c running over the channels of o's group. Each costs 2 N P Q O R S C / groups operations;
// the least traffic is each of the three arrays once: a 3x3 convolution 64 -> 64 of a 32x32 image
// does 72 operations a byte, a depthwise 3x3 about 2, so the first is bound by arithmetic, the
// second by memory.
//
// On the CPU f32 stands on oneDNN (NHWC as it is; the weight is reordered to the blocked layout the
// kernel wants: R S C O elements, little beside the work of a batch and a quarter of the time on
// one image of ResNet-50, so that a weight that stays the same may be kept in that layout with a
// PackedWeight); f64, and what oneDNN refuses, on our own loops: one strided matrix product for
// each row of the image and each place of the kernel, without copying patches (im2col). Results are
// the same for the same shapes, thread count and machine.
//
// On the GPU the kernels are ours (kernels/conv/README.md). They take the same arguments, with
// pointers to device memory, run in the current stream, and also compute in bf16 and f16, with sums
// in f32; f32 is rounded to tf32 only where kernels/gpu/tf32.h was told so. Results are the same
// bits from run to run.
#pragma once

#include <cstdint>

#include "kernels/common/numeric.h"

namespace strata {

class PackedWeight;  // kernels/dnnl/packed_weight.h

struct ConvShape {
  DType dtype = DType::f32;  // f32 or f64; on the GPU bf16 and f16 too
  int64_t N = 0, H = 0, W = 0, C = 0;
  int64_t O = 0, R = 1, S = 1;  // kernel height and width
  int64_t P = 0, Q = 0;         // output height and width
  int64_t stride_h = 1, stride_w = 1, dilation_h = 1, dilation_w = 1;
  int64_t top = 0, bottom = 0, left = 0, right = 0;
  int64_t groups = 1;
};

namespace cpu {

// out [N, P, Q, O] = conv(x, weight) + bias + residual, then max(0, .) if asked. bias [O] and
// residual [N, P, Q, O] may be null. `packed`: where the weight may be kept between calls, or null.
void conv2d(const ConvShape& shape, const void* x, const void* weight, const void* bias,
            const void* residual, bool relu, void* out, PackedWeight* packed = nullptr);
// gradient [N, P, Q, O], weight -> out [N, H, W, C].
void conv2d_input_gradient(const ConvShape& shape, const void* gradient, const void* weight,
                           void* out, PackedWeight* packed = nullptr);
// x, gradient -> out [O, R, S, C / groups]; bias_out [O], the sum of the gradient, may be null.
void conv2d_weight_gradient(const ConvShape& shape, const void* x, const void* gradient, void* out,
                            void* bias_out);
// masked[i] = out[i] > 0 ? gradient[i] : 0, the gradient of a fused ReLU.
void relu_gradient(DType dtype, int64_t count, const void* out, const void* gradient, void* masked);

}  // namespace cpu

namespace gpu {

void conv2d(const ConvShape& shape, const void* x, const void* weight, const void* bias,
            const void* residual, bool relu, void* out);
void conv2d_input_gradient(const ConvShape& shape, const void* gradient, const void* weight,
                           void* out);
void conv2d_weight_gradient(const ConvShape& shape, const void* x, const void* gradient, void* out,
                            void* bias_out);
void relu_gradient(DType dtype, int64_t count, const void* out, const void* gradient, void* masked);

// What a batch norm asks of the convolutions around it, so that its passes over memory disappear.
// All are arrays of f32 on the device; null: not wanted.
struct ConvNorm {
  // In front: the convolution sees max(0, x input_scale[c] + input_shift[c]) (max only if asked);
  // padding stays zero.
  const float* input_scale = nullptr;
  const float* input_shift = nullptr;
  bool input_relu = false;
  // Behind: out = conv scale[o] + bias[o] + residual, then the ReLU.
  const float* scale = nullptr;
  // [2, O]: the sums over pixels of conv and of its square, before scale, bias, residual and ReLU
  // and before rounding to the element type, added in a fixed order. For f32, bf16 and f16.
  float* sums = nullptr;
};
void conv2d_norm(const ConvShape& shape, const ConvNorm& norm, const void* x, const void* weight,
                 const void* bias, const void* residual, bool relu, void* out);

}  // namespace gpu
}  // namespace strata
