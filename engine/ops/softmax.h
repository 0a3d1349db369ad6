// Softmax along one axis; the largest element is subtracted first. x is of a floating type and any
// shape; the result has its shape and type. A row of -inf only, or with a NaN or +inf in it, gives
// NaN. A scalar is a row of one.
#pragma once

#include "engine/tensor/tensor.h"

namespace strata {

Tensor softmax(const Tensor& x, int axis = -1, Caller at = Caller::here());
Tensor log_softmax(const Tensor& x, int axis = -1, Caller at = Caller::here());

}  // namespace strata
