// Joining, splitting and shifting.
#pragma once

#include <vector>

#include "engine/tensor/tensor.h"

namespace strata {

enum class PadMode { constant, reflect, replicate };

Tensor concatenate(const std::vector<Tensor>& parts, int axis = 0, Caller at = Caller::here());
Tensor stack(const std::vector<Tensor>& parts, int axis = 0, Caller at = Caller::here());
// Views of `size` along `axis`, the last one smaller if need be.
std::vector<Tensor> split(const Tensor& x, int64_t size, int axis = 0, Caller at = Caller::here());
// Views of the sizes given, which must add up.
std::vector<Tensor> split(const Tensor& x, const std::vector<int64_t>& sizes, int axis = 0,
                          Caller at = Caller::here());
// before[i] and after[i] elements added to axis i (both as long as the rank).
Tensor pad(const Tensor& x, const Dims& before, const Dims& after, double value = 0,
           PadMode mode = PadMode::constant, Caller at = Caller::here());
// Elements move by shifts[i] along axes[i] and come in again at the other end.
Tensor roll(const Tensor& x, const Dims& shifts, const Dims& axes, Caller at = Caller::here());
Tensor repeat(const Tensor& x, const Dims& times, Caller at = Caller::here());

}  // namespace strata
