// Reading and writing by index. Indices are i64 or i32; a negative one or one past the end is an
// error that says where it stands. Gathering is the adjoint of adding at the same places, so the
// gradient of each op here is another op here. Threads own disjoint parts of the result: no
// atomics, and sums are made in the order of the index, whatever the thread count.
#pragma once

#include "engine/tensor/tensor.h"

namespace strata {

// out[i][j] = x[index[i][j]][j] for axis 0, and so on: index has x's rank and is no longer than x
// along the other axes; out has index's shape (as torch.gather).
Tensor gather(const Tensor& x, int axis, const Tensor& index, Caller at = Caller::here());
// A copy of x with source, of index's shape, added at the places gather would read (fixed order;
// deterministic). 16-bit floats add in f32 and round once. x and source have one type.
Tensor scatter_add(const Tensor& x, int axis, const Tensor& index, const Tensor& source,
                   Caller at = Caller::here());
// A copy of x with source written there; the last write wins. The gradient of source is 0 where a
// later write covered it.
Tensor scatter(const Tensor& x, int axis, const Tensor& index, const Tensor& source,
               Caller at = Caller::here());
// Slices of x along `axis` at a rank-1 index.
Tensor index_select(const Tensor& x, int axis, const Tensor& index, Caller at = Caller::here());
// A copy of x with source's slices added along `axis` at a rank-1 index.
Tensor index_add(const Tensor& x, int axis, const Tensor& index, const Tensor& source,
                 Caller at = Caller::here());
// Rows of table [V, C] at index [...]: [..., C].
Tensor embedding(const Tensor& table, const Tensor& index, Caller at = Caller::here());
// index [...] -> [..., classes]: 1 at the index, 0 elsewhere.
Tensor one_hot(const Tensor& index, int64_t classes, DType dtype = DType::f32,
               Caller at = Caller::here());

}  // namespace strata
