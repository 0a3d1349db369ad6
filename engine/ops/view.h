// Views: new shapes and strides over the same storage, no copy unless stated. Cost O(rank),
// whatever the size. Their gradients are views too, or, for slice and select, zeros with the slice
// filled. Every axis may be counted from the right: -1 is the last.
#pragma once

#include <vector>

#include "engine/tensor/tensor.h"

namespace strata {

// x in a new shape with as many elements, in row-major order. One size may be -1 and is worked out.
// Copies only when strides cannot express the result (as for most transposed x).
Tensor reshape(const Tensor& x, const Dims& shape, Caller at = Caller::here());
// Axis i of the result is axis axes[i] of x; every axis of x is named once.
Tensor permute(const Tensor& x, const Dims& axes, Caller at = Caller::here());
// Axes a and b exchanged.
Tensor transpose(const Tensor& x, int a, int b, Caller at = Caller::here());
// Elements start, start + step, ... before stop along `axis`; bounds clip and negative ones count
// from the end, as in Python. step > 0 (flip() reverses).
Tensor slice(const Tensor& x, int axis, int64_t start, int64_t stop, int64_t step = 1,
             Caller at = Caller::here());
// One index along `axis`, which disappears; -1 is the last. Outside the axis is an error.
Tensor select(const Tensor& x, int axis, int64_t index, Caller at = Caller::here());
// Sizes of 1 stretch (stride 0); -1 keeps a size; new axes come in front.
Tensor expand(const Tensor& x, const Dims& shape, Caller at = Caller::here());
// A new axis of size 1 at position `axis` of the result.
Tensor unsqueeze(const Tensor& x, int axis, Caller at = Caller::here());
// Without `axis`, which must have size 1.
Tensor squeeze(const Tensor& x, int axis, Caller at = Caller::here());
// Axes first..last (both included) as one; a scalar becomes [1].
Tensor flatten(const Tensor& x, int first = 0, int last = -1, Caller at = Caller::here());
// Reverses the axes given (a view with negative strides); none means all.
Tensor flip(const Tensor& x, const Dims& axes, Caller at = Caller::here());
// Row-major copy, or x itself when it is that already.
Tensor contiguous(const Tensor& x, Caller at = Caller::here());
Tensor clone(const Tensor& x, Caller at = Caller::here());
// Copy of x on the device.
Tensor to_device(const Tensor& x, Device device, Caller at = Caller::here());

}  // namespace strata
