// Frames of a film turned the same way: maps have no up or down of their own.
#pragma once

#include "engine/tensor/tensor.h"

namespace strata::introspect {

// The rotation or reflection of `map` [N, 2] that comes nearest to `reference` [N, 2], row by row,
// in the sum of squares (orthogonal Procrustes, Schonemann 1966; in the plane it is one angle),
// moved to the mean of the reference. Its size is kept. Element type of `map`.
Tensor align(const Tensor& map, const Tensor& reference, Caller at = Caller::here());

}  // namespace strata::introspect
