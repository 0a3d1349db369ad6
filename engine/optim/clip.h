// Gradient clipping, between backward() and step(). Parameters without a gradient are skipped.
#pragma once

#include <vector>

#include "engine/tensor/tensor.h"

namespace strata {

// Scales all gradients by min(1, max_norm / (norm + 1e-6)), norm the Euclidean norm of all of them
// together, summed in f64 (Pascanu et al. 2013). Returns the norm before clipping. A norm that is
// not finite is returned and leaves the gradients alone: the caller decides.
double clip_grad_norm(const std::vector<Tensor>& parameters, double max_norm,
                      Caller at = Caller::here());
// Clamps every element to [-bound, bound].
void clip_grad_value(const std::vector<Tensor>& parameters, double bound,
                     Caller at = Caller::here());

}  // namespace strata
