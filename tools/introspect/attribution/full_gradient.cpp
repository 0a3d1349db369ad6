#include "tools/introspect/attribution/full_gradient.h"

#include <cmath>
#include <unordered_set>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "tools/introspect/attribution/cam.h"
#include "tools/introspect/attribution/dependence.h"

namespace strata::introspect {
namespace {

// Ops that are homogeneous in their operands: no bias where all operands vary.
bool homogeneous(const DependentStep& op) {
  static const std::unordered_set<std::string> names{"add",        "sub",
                                                     "neg",        "sum",
                                                     "mean",       "reshape",
                                                     "permute",    "slice",
                                                     "select",     "expand",
                                                     "unsqueeze",  "squeeze",
                                                     "flatten",    "flip",
                                                     "contiguous", "clone",
                                                     "to_dtype",   "concatenate",
                                                     "matmul",     "relu",
                                                     "leaky_relu", "max_pool2d",
                                                     "avg_pool2d", "global_avg_pool2d",
                                                     "transpose",  "adaptive_avg_pool2d"};
  if (names.count(op.name()) == 0) return false;
  // A number that is added is no operand.
  if ((op.name() == "add" || op.name() == "sub") && op.inputs.size() < 2) return false;
  if (op.name() == "matmul") return op.varying() == 1;
  return op.varying() == static_cast<int>(op.inputs.size());
}

// out - sum_i J_i input_i. An infinite operand (a masked attention score) has no share of it: it
// matters to nothing, and 0 times infinity is 0 here.
Tensor implied_bias(const DependentPass& pass, const DependentStep& step) {
  NoGrad off;
  std::vector<Tensor> operands(step.inputs.size());
  for (size_t i = 0; i < operands.size(); ++i) {
    if (!step.varies[i]) continue;
    Tensor value = step.inputs[i].detach();
    Tensor finite = less(abs(value), scalar(INFINITY, value.dtype()));
    operands[i] = where(finite, value, scalar(0, value.dtype()));
  }
  return step.out.detach() - linear_part(pass, step, operands);
}

// gradient times bias, 0 where the gradient is.
Tensor contribution_of(const Tensor& gradient, const Tensor& bias) {
  Tensor zero = scalar(0, gradient.dtype());
  return where(equal(gradient, zero), zero, gradient * bias);
}

// Sums over everything but the batch.
Tensor totals(const Tensor& x) {
  Tensor wide = x.to(DType::f64);
  return x.rank() == 1 ? wide : sum(wide.flatten(1), {1});
}

}  // namespace

FullGradient full_gradient(const Scores& model, const Tensor& x,
                           const std::vector<int64_t>& target) {
  Tensor score;
  DependentPass pass = record_dependence(
      [&](const Tensor& input) { return score = target_scores(model(input), target); }, x);
  std::vector<Tensor> wanted{pass.x};
  for (const DependentStep& op : pass.steps) wanted.push_back(op.out);
  std::vector<Tensor> gradients;
  {
    EnableGrad on;
    gradients = grad({sum(score)}, wanted, {}, {.retain_graph = true, .allow_unused = true});
  }
  NoGrad off;
  FullGradient result;
  result.scores = score.to_vector<double>();
  result.input = gradients[0].defined() ? gradients[0] * x.detach() : zeros_like(x).detach();
  Tensor sums = totals(result.input);
  for (size_t i = 0; i < pass.steps.size(); ++i) {
    const DependentStep& op = pass.steps[i];
    const Tensor& above = gradients[i + 1];
    if (!above.defined() || homogeneous(op)) continue;
    Tensor contribution = contribution_of(above, implied_bias(pass, op));
    if (contribution.rank() == 0 || contribution.size(0) != x.size(0)) {
      fail("full_gradient", op.at,
           "the result {} of {} does not have the batch of {} examples as its first axis, so its "
           "bias has no example",
           describe(op.out), op.name(), x.size(0));
    }
    if (max(abs(contribution)).item() == 0) continue;
    sums = sums + totals(contribution);
    result.biases.push_back({op.name(), op.at, contribution});
  }
  result.gap = sums.to_vector<double>();
  for (size_t n = 0; n < result.gap.size(); ++n) result.gap[n] -= result.scores[n];
  return result;
}

Tensor full_gradient_map(const FullGradient& terms) {
  if (terms.input.rank() != 4) {
    fail("full_gradient_map", Caller{}, "the input {} is not images [N, H, W, C]",
         describe(terms.input));
  }
  NoGrad off;
  int64_t height = terms.input.size(1), width = terms.input.size(2);
  Tensor map = sum(abs(terms.input), {3});
  for (const BiasTerm& term : terms.biases) {
    if (term.contribution.rank() != 4) continue;
    Tensor own = sum(abs(term.contribution), {3});
    double share =
        static_cast<double>(own.size(1) * own.size(2)) / static_cast<double>(height * width);
    map = map + upsample_map(own, height, width) * share;
  }
  return map;
}

}  // namespace strata::introspect
