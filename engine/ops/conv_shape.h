// What the convolution and pooling ops share: checks, and the arithmetic of their sizes.
#pragma once

#include "engine/ops/conv.h"
#include "engine/tensor/tensor.h"

namespace strata::detail {

// One axis of a window that slides over an image.
struct SlidingAxis {
  const char* name;  // "height", "width" or "length", for errors
  int64_t in, before, after, window, stride, dilation;
};
// floor((in + before + after - dilation (window - 1) - 1) / stride) + 1; an error that shows the
// formula when it is not positive, and when a stride, window or dilation is below 1 or a padding
// below 0.
int64_t output_size(const char* op, const Tensor& x, const SlidingAxis& axis, Caller at);
// (in - 1) stride - before - after + dilation (window - 1) + 1 + output_padding, checked alike.
int64_t transposed_output_size(const char* op, const Tensor& x, const SlidingAxis& axis,
                               int64_t output_padding, Caller at);

// x and weight are floating and of the rank given, the groups divide the channels (`in`: of x,
// `out`: of the result), and bias is [out] or undefined. Both take x [N, ..., channels].
// A convolution's weight is [out, ..., in / groups], a transposed one's [in, ..., out / groups].
void check_convolution(const char* op, const Tensor& x, const Tensor& weight, const Tensor& bias,
                       int rank, int64_t groups, bool is_transposed, Caller at);

}  // namespace strata::detail
