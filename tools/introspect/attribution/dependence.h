// Which ops of a forward pass the scores depend on the input through (of all that the tape holds,
// tools/introspect/tape.h), and the linear map that each of them is at its operands.
#pragma once

#include <string>
#include <vector>

#include "tools/introspect/edit.h"
#include "tools/introspect/tape.h"

namespace strata::introspect {

struct DependentStep : Step {
  std::vector<bool> varies;  // which of the inputs depend on the model's input
  // Whether an operand that gets no gradient was computed from comparisons in this pass (the
  // condition of a `where`).
  bool switched = false;

  std::string name() const { return op; }
  int varying() const;  // how many of the inputs do
};

struct DependentPass {
  Tape tape;
  Tensor x;       // a leaf with the input's values
  Tensor scores;  // what the model returned
  std::vector<DependentStep> steps;
};
// Runs the model on x. Holds the whole pass.
DependentPass record_dependence(const Scores& model, const Tensor& x);

// J v: the derivative of a step at its operands, applied to directions v (one for each input that
// varies, of its shape; others are not read). It is the adjoint of the op's gradient, which is
// linear in what comes from above: two backward steps of a single op.
Tensor linear_part(const DependentPass& pass, const DependentStep& step,
                   const std::vector<Tensor>& directions);

}  // namespace strata::introspect
