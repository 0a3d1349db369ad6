// DeepLift's rule for each op: see deep_lift.h.
#pragma once

#include "tools/introspect/tape.h"

namespace strata::introspect {

// Multipliers of the inputs of one op, given those of its result, with
//   sum over inputs of m_i (in_i - in0_i) = m (out - out0)
// exactly; in0 and out0 are those of the step at the same position of `baseline`. Errors: an op
// that no rule covers; an operand, condition or index that is no input yet differs between the
// runs.
Gradients deep_lift_multipliers(const Visit& visit, const Tensor& m, const Tape& baseline);

}  // namespace strata::introspect
