// DeepLift (Shrikumar et al. 2017): how much each input contributes to the difference between the
// score of x and that of a baseline. Both are run; then multipliers m with
//
//   sum over inputs of m_i (in_i - in0_i) = m_out (out - out0)
//
// go back op by op, so that the contributions m (x - baseline) sum to score(x) - score(baseline)
// exactly. For each op:
//
//   linear in its inputs         its own gradient
//   relu, tanh, gelu, ...        the rescale rule: m_out (out - out0) / (in - in0), and the
//   gradient
//                                where both meet
//   products of two activations  each factor with the mean of the other's two values, which shares
//                                a b - a0 b0 as Shapley values do; quotients likewise
//   maxima, max pools            gains to what wins for x, losses to what won for the baseline
//   softmax, norms               the ops they are made of (exp, sum, log; mean, square, root)
//
// The two runs are aligned op by op on their tapes, so layers used twice, in place of each other or
// without modules need nothing special. Anything else is refused by name. Cost: two forward passes
// and about two backward passes.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tools/introspect/edit.h"

namespace strata::introspect {

struct DeepLift {
  Tensor input;                                       // x's shape; undefined when x is integers
  std::map<std::string, std::vector<Tensor>> layers;  // contributions by name, one for each use
  // [N]: score(x) - score(baseline) less the sum of the contributions at the input, or at the first
  // layer asked for when x is integers (0 if all passes through it). 0 up to rounding.
  Tensor delta;
};

// Contributions to scores[n, target[n]] (see target.h). `baseline` broadcasts to x (one for all, or
// one each) and has its type. Errors: an op without a rule (named, with its line), a model that
// runs other ops for the baseline than for x, or with other constants; a batch norm in training;
// integer x without `layers`.
DeepLift deep_lift(const Scores& model, const Tensor& x, const Tensor& baseline,
                   const std::vector<int64_t>& target, const std::vector<std::string>& layers = {});

}  // namespace strata::introspect
