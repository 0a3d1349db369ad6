#include "tools/introspect/attribution/forward_tape.h"

#include <algorithm>
#include <unordered_set>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "engine/ops/plain.h"

namespace strata::introspect {
namespace {

// Ops whose results jump: their gradient is 0 or there is none.
bool compares(const std::string& name) {
  static const std::unordered_set<std::string> names{
      "equal",       "not_equal", "less",   "less_equal", "is_nan",  "logical_and", "logical_or",
      "logical_not", "argmax",    "argmin", "argsort",    "one_hot", "any",         "all"};
  return names.count(name) > 0;
}

}  // namespace

int TapeOp::varying() const {
  return static_cast<int>(std::count(varies.begin(), varies.end(), true));
}

ForwardTape record_forward(const Scores& model, const Tensor& x) {
  ForwardTape tape;
  EnableGrad on;
  PlainOps plain;
  tape.x = x.detach().clone().set_requires_grad();
  std::unordered_set<const Node*> dependent{tape.x.node().get()};
  std::unordered_set<const TensorData*> compared;
  std::vector<Tensor> alive;  // so that no address is used twice
  OpObserver observer([&](const OpEvent& event) {
    TapeOp op{event.op, event.at, event.out, event.inputs, {}, false};
    for (const Tensor& input : event.inputs) {
      op.varies.push_back(input.defined() && input.requires_grad() &&
                          dependent.count(input.node().get()) > 0);
      op.switched |= input.defined() && compared.count(input.get()) > 0;
    }
    if (compares(op.name) || (op.switched && op.varying() == 0)) {
      compared.insert(event.out.get());
      alive.push_back(event.out);
    }
    if (op.varying() == 0 || !event.out.requires_grad()) return;
    dependent.insert(event.out.node().get());
    tape.ops.push_back(std::move(op));
  });
  tape.scores = model(tape.x);
  return tape;
}

Tensor linear_part(const TapeOp& op, const std::vector<Tensor>& directions) {
  EnableGrad on;
  Tensor above = zeros_like(op.out).detach().set_requires_grad();
  Gradients below = vjp(op.out.node(), above);
  Tensor total;
  for (size_t i = 0; i < op.inputs.size(); ++i) {
    if (!op.varies[i] || !below[i].defined()) continue;
    Tensor part = sum(below[i] * directions[i].detach());
    total = total.defined() ? total + part : part;
  }
  if (!total.defined() || !total.requires_grad()) return zeros_like(op.out).detach();
  Tensor product = grad({total}, {above}, {}, {.allow_unused = true})[0];
  return product.defined() ? product : zeros_like(op.out).detach();
}

}  // namespace strata::introspect
