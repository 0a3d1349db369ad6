// Views: new shapes and strides over the same storage, no copy unless stated. Their gradients are
// views too, or a padded copy for slices.
#pragma once

#include <vector>

#include "engine/tensor/tensor.h"

namespace strata {

// One size may be -1 and is worked out. Copies only when strides cannot express the result.
Tensor reshape(const Tensor& x, const Dims& shape, Caller at = Caller::here());
Tensor permute(const Tensor& x, const Dims& axes, Caller at = Caller::here());
Tensor transpose(const Tensor& x, int a, int b, Caller at = Caller::here());
// Elements start, start + step, ... before stop along `axis`; bounds clip and negative ones count
// from the end, as in Python. step > 0.
Tensor slice(const Tensor& x, int axis, int64_t start, int64_t stop, int64_t step = 1,
             Caller at = Caller::here());
// One index along `axis`, which disappears.
Tensor select(const Tensor& x, int axis, int64_t index, Caller at = Caller::here());
// Sizes of 1 stretch; -1 keeps a size; new axes come in front.
Tensor expand(const Tensor& x, const Dims& shape, Caller at = Caller::here());
Tensor unsqueeze(const Tensor& x, int axis, Caller at = Caller::here());
Tensor squeeze(const Tensor& x, int axis, Caller at = Caller::here());
Tensor flatten(const Tensor& x, int first = 0, int last = -1, Caller at = Caller::here());
// Reverses the axes given (a view with negative strides).
Tensor flip(const Tensor& x, const Dims& axes, Caller at = Caller::here());
// Row-major copy, or x itself when it is that already.
Tensor contiguous(const Tensor& x, Caller at = Caller::here());
Tensor clone(const Tensor& x, Caller at = Caller::here());
// Copy of x on the device.
Tensor to_device(const Tensor& x, Device device, Caller at = Caller::here());

}  // namespace strata
