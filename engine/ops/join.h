// Joining, splitting, padding and shifting.
#pragma once

#include <vector>

#include "engine/tensor/tensor.h"

namespace strata {

enum class PadMode {
  constant,   // 0 0 | a b c | 0 0
  reflect,    // c b | a b c | b a   (at most size - 1 elements)
  replicate,  // a a | a b c | c c
};

// The parts in a row along `axis`; their other sizes are equal. Types promote. Gradients are views.
Tensor concatenate(const std::vector<Tensor>& parts, int axis = 0, Caller at = Caller::here());
// Parts of one shape along a new axis at position `axis` of the result.
Tensor stack(const std::vector<Tensor>& parts, int axis = 0, Caller at = Caller::here());
// Views of `size` along `axis`, the last one smaller if need be.
std::vector<Tensor> split(const Tensor& x, int64_t size, int axis = 0, Caller at = Caller::here());
// Views of the sizes given, which must add up.
std::vector<Tensor> split(const Tensor& x, const std::vector<int64_t>& sizes, int axis = 0,
                          Caller at = Caller::here());
// before[i] and after[i] elements added to axis i (both as long as the rank). `value` is for
// PadMode::constant.
Tensor pad(const Tensor& x, const Dims& before, const Dims& after, double value = 0,
           PadMode mode = PadMode::constant, Caller at = Caller::here());
// Elements move by shifts[i] along axes[i] and come in again at the other end.
Tensor roll(const Tensor& x, const Dims& shifts, const Dims& axes, Caller at = Caller::here());
// x times[i] times over along axis i; more times than axes add axes in front (as numpy.tile).
Tensor repeat(const Tensor& x, const Dims& times, Caller at = Caller::here());

}  // namespace strata
