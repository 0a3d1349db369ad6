// Softmax along one axis; the largest element is subtracted first.
#pragma once

#include "engine/tensor/tensor.h"

namespace strata {

Tensor softmax(const Tensor& x, int axis = -1, Caller at = Caller::here());
Tensor log_softmax(const Tensor& x, int axis = -1, Caller at = Caller::here());

}  // namespace strata
