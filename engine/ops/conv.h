// Convolutions (cross-correlations), channels last: images [N, H, W, C], sequences [N, T, C].
// Weights are OHWI: [out channels, kernel H, kernel W, in channels / groups].
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
// H' = (H + top + bottom - dilation (R - 1) - 1) / stride + 1.
Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
              const Conv2dOptions& options = {}, Caller at = Caller::here());
// x [N, T, C], weight [O, R, C / groups].
Tensor conv1d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
              const Conv1dOptions& options = {}, Caller at = Caller::here());
// The adjoint of conv2d in x: x [N, H, W, C], weight [C, R, S, O / groups] (the OHWI weight of the
// convolution it reverses) -> [N, H', W', O], H' = (H - 1) stride - top - bottom + dilation (R - 1)
// + 1
// + output_padding.
Tensor conv_transpose2d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
                        const ConvTranspose2dOptions& options = {}, Caller at = Caller::here());
// x [N, T, C], weight [C, R, O / groups].
Tensor conv_transpose1d(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
                        int64_t stride = 1, int64_t padding = 0, int64_t output_padding = 0,
                        Caller at = Caller::here());

}  // namespace strata
