// Convolutions (cross-correlations), channels last: images [N, H, W, C], sequences [N, T, C].
// Weights are OHWI: [out channels, kernel H, kernel W, in channels / groups].
//
//   out[n, p, q, o] = bias[o] + sum over r, s, c of
//                     x[n, p stride - top + r dilation, q stride - left + s dilation, c] w[o, r, s,
//                     c]
//
// with c running over the channels of o's group (groups = C is a depthwise convolution). Cost:
// 2 N H' W' O R S C / groups operations forward, twice that backward. Floating types; 16-bit floats
// are computed in f32. The forward pass and the gradients for x and for the weight are three
// bilinear ops, each the gradient of the others, so derivatives of any order exist (Dumoulin and
// Visin 2016, "A guide to convolution arithmetic for deep learning", has the pictures). Results are
// the same for the same shapes, thread count and machine.
#pragma once

#include "engine/tensor/tensor.h"

namespace strata {

// Top, bottom, left, right.
struct Padding {
  int64_t top = 0, bottom = 0, left = 0, right = 0;
  Padding() = default;
  Padding(int64_t all) : top(all), bottom(all), left(all), right(all) {}
  Padding(int64_t top, int64_t bottom, int64_t left, int64_t right)
      : top(top), bottom(bottom), left(left), right(right) {}
  bool operator==(const Padding&) const = default;
};
struct Pair {
  int64_t h = 1, w = 1;
  Pair() = default;
  Pair(int64_t both) : h(both), w(both) {}
  Pair(int64_t h, int64_t w) : h(h), w(w) {}
  bool operator==(const Pair&) const = default;
};
struct Conv2dOptions {
  Pair stride = 1;
  Padding padding = 0;
  Pair dilation = 1;
  int64_t groups = 1;
  bool relu = false;  // max(0, .) of the result, in the same pass
};
struct Conv1dOptions {
  int64_t stride = 1, padding_left = 0, padding_right = 0, dilation = 1, groups = 1;
};
struct ConvTranspose2dOptions {
  Pair stride = 1;
  Padding padding = 0;            // taken from the output
  Pair output_padding = Pair(0);  // added at the bottom and right
  Pair dilation = 1;
  int64_t groups = 1;
};

// x [N, H, W, C], weight [O, R, S, C / groups], bias [O] or undefined -> [N, H', W', O] with
// H' = floor((H + top + bottom - dilation (R - 1) - 1) / stride) + 1, and W' alike. `residual`
// ([N, H', W', O] or undefined) is added before the ReLU: relu(conv(x) + bias + residual) is one
// op. Errors: ranks, channels or bias that do not fit; groups that do not divide C and O; an output
// size that is not positive (the formula is shown with its numbers).
Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
              const Conv2dOptions& options = {}, const Tensor& residual = {},
              Caller at = Caller::here());
// x [N, T, C], weight [O, R, C / groups].
Tensor conv1d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
              const Conv1dOptions& options = {}, Caller at = Caller::here());
// The adjoint of conv2d in x: x [N, H, W, C], weight [C, R, S, O / groups] (the OHWI weight of the
// convolution it reverses) -> [N, H', W', O] with
// H' = (H - 1) stride - top - bottom + dilation (R - 1) + 1 + output_padding, and W' alike.
// output_padding is less than the stride.
Tensor conv_transpose2d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
                        const ConvTranspose2dOptions& options = {}, Caller at = Caller::here());
// x [N, T, C], weight [C, R, O / groups].
Tensor conv_transpose1d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
                        int64_t stride = 1, int64_t padding = 0, int64_t output_padding = 0,
                        Caller at = Caller::here());

}  // namespace strata
