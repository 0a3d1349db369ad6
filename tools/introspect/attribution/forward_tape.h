// The ops of one forward pass through which the scores depend on the input, in the order they ran,
// with their operands, and the linear map that each is at its operands. A pass is recorded by the
// engine's own events, with fused ops apart (PlainOps), so a network may be written in any way: no
// module has to be known, an op may be used twice, in place or in a function.
#pragma once

#include <string>
#include <vector>

#include "engine/tensor/tensor.h"
#include "tools/introspect/edit.h"

namespace strata::introspect {

struct TapeOp {
  std::string name;
  Caller at;                   // the line that called it
  Tensor out;                  // attached to its graph
  std::vector<Tensor> inputs;  // may hold undefined ones
  std::vector<bool> varies;    // which of them depend on the input
  // Whether an operand that gets no gradient was computed from comparisons in this pass (the
  // condition of a `where`).
  bool switched = false;

  int varying() const;  // how many of the inputs depend on the input
};

struct ForwardTape {
  Tensor x;       // a leaf with the input's values
  Tensor scores;  // what the model returned
  std::vector<TapeOp> ops;
};
// Runs the model with gradients on. Holds the whole pass.
ForwardTape record_forward(const Scores& model, const Tensor& x);

// J v: the derivative of the op at its operands, applied to directions v (one for each input that
// varies, of its shape; others are not read). It is the adjoint of the op's gradient, which is
// linear in what comes from above: two backward steps of a single op.
Tensor linear_part(const TapeOp& op, const std::vector<Tensor>& directions);

}  // namespace strata::introspect
