// Reading and writing by index. Indices are i64 or i32 and are checked against the size.
#pragma once

#include "engine/tensor/tensor.h"

namespace strata {

// out[i][j] = x[index[i][j]][j] for axis 0, and so on: index has x's rank (Tensor shapes as
// torch.gather).
Tensor gather(const Tensor& x, int axis, const Tensor& index, Caller at = Caller::here());
// A copy of x with source added at the places gather would read (fixed order; deterministic).
Tensor scatter_add(const Tensor& x, int axis, const Tensor& index, const Tensor& source,
                   Caller at = Caller::here());
// A copy of x with source written there; the last write wins.
Tensor scatter(const Tensor& x, int axis, const Tensor& index, const Tensor& source,
               Caller at = Caller::here());
// Slices of x along `axis` at a rank-1 index.
Tensor index_select(const Tensor& x, int axis, const Tensor& index, Caller at = Caller::here());
// x with source's slices added along `axis` at a rank-1 index.
Tensor index_add(const Tensor& x, int axis, const Tensor& index, const Tensor& source,
                 Caller at = Caller::here());
// Rows of table [V, C] at index [...]: [..., C].
Tensor embedding(const Tensor& table, const Tensor& index, Caller at = Caller::here());
// index [...] -> f32 [..., classes].
Tensor one_hot(const Tensor& index, int64_t classes, DType dtype = DType::f32,
               Caller at = Caller::here());

}  // namespace strata
