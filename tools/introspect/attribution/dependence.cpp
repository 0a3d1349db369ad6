#include "tools/introspect/attribution/dependence.h"

#include <algorithm>
#include <unordered_set>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"

namespace strata::introspect {
namespace {

// Comparisons, argmax and their like: results that jump, recorded without operands because no
// gradient can go to one.
bool jumps(const Step& step) {
  return step.inputs.empty() && (!is_float(step.out.dtype()) || std::string(step.op) == "one_hot");
}

}  // namespace

int DependentStep::varying() const {
  return static_cast<int>(std::count(varies.begin(), varies.end(), true));
}

DependentPass record_dependence(const Scores& model, const Tensor& x) {
  Tensor input = x.detach().clone().set_requires_grad(), scores;
  DependentPass pass{Tape([&] { scores = model(input); }), input, scores, {}};
  std::unordered_set<const Node*> dependent{input.node().get()};
  std::unordered_set<const TensorData*> compared;
  for (const Step& ran : pass.tape.steps()) {
    DependentStep step{ran, {}, false};
    for (const Tensor& operand : ran.inputs) {
      step.varies.push_back(operand.defined() && operand.requires_grad() &&
                            dependent.count(operand.node().get()) > 0);
      step.switched |= operand.defined() && compared.count(operand.get()) > 0;
    }
    bool depends = step.varying() > 0 && ran.out.requires_grad();
    if (jumps(ran) || (step.switched && !depends)) compared.insert(ran.out.get());
    if (!depends) continue;
    dependent.insert(ran.out.node().get());
    pass.steps.push_back(std::move(step));
  }
  return pass;
}

Tensor linear_part(const DependentPass& pass, const DependentStep& step,
                   const std::vector<Tensor>& directions) {
  EnableGrad on;
  Tensor above = zeros_like(step.out).detach().set_requires_grad();
  Gradients below = Visit(pass.tape, step.out.node(), step.varies).vjp(above);
  Tensor total;
  for (size_t i = 0; i < step.inputs.size(); ++i) {
    if (!step.varies[i] || !below[i].defined()) continue;
    Tensor part = sum(below[i] * directions[i].detach());
    total = total.defined() ? total + part : part;
  }
  if (!total.defined() || !total.requires_grad()) return zeros_like(step.out).detach();
  Tensor product = grad({total}, {above}, {}, {.allow_unused = true})[0];
  return product.defined() ? product : zeros_like(step.out).detach();
}

}  // namespace strata::introspect
