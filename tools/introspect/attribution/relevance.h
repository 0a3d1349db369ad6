// Layer-wise relevance propagation (Bach et al. 2015): a score is shared out backwards, op by op,
// until it lies on the input. Every op on the way hands on all it received, so that
//
//   score = sum of the relevance at any cut through the network + what biases, constants and
//           stabilisers absorbed on the way;
//
// `balance` has the accounts of each op. What ops do:
//
//   conv, linear, matmul by a constant   a rule of relevance_rule.h, chosen by the composite
//   batch_norm with fixed statistics     folded into the convolution or product before it; else,
//                                        as below, in proportion
//   add, sub, mean, sum, average pools   in proportion to what each input contributed (the epsilon
//                                        rule): a residual sum splits so
//   layer_norm, rms_norm                 in proportion, the deviation held fixed (Ali et al. 2022)
//   max pools, slices, reshapes, joins   where the value came from
//   relu, gelu, tanh, ..., mul by a constant     passed as it is
//   mul, matmul of two activations       to the signal, if the other is a gate: the result of a
//                                        sigmoid or softmax (Arras et al. 2017, Ali et al. 2022);
//                                        else half to each (Achtibat et al. 2024)
//
// Anything else is refused by name. Cost: one forward pass and, with the epsilon rule, one
// backward.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tools/introspect/attribution/relevance_rule.h"
#include "tools/introspect/edit.h"

namespace strata::introspect {

enum class Bias {
  absorbed,     // a bias keeps its part of the relevance
  distributed,  // the inputs share it in proportion to what they contributed
};

struct RelevanceOptions {
  Composite composite = everywhere(lrp_epsilon());
  Bias bias = Bias::absorbed;
  double epsilon = 1e-6;                 // stabiliser of what is shared "in proportion" above
  std::vector<std::string> layers = {};  // named activations whose relevance is wanted too
  std::map<std::string, Rule, std::less<>> rules =
      {};  // for ops that have none, or in place of theirs
};

// The accounts of one op, sums over the batch: received = passed + absorbed up to rounding.
struct RelevanceBalance {
  std::string op;
  Caller at;
  double received, passed, absorbed;
};

struct Relevance {
  Tensor input;                                       // x's shape; undefined when x is integers
  std::map<std::string, std::vector<Tensor>> layers;  // by name, one for each use of the layer
  std::vector<RelevanceBalance> balance;              // from the output down
};

// Relevance of x, and of the named layers, for scores[n, target[n]] (see target.h). The model must
// be in eval mode. Errors: an op without a rule (named, with its line), a batch norm in training,
// targets that do not fit, integer x without `layers`.
Relevance relevance_propagation(const Scores& model, const Tensor& x,
                                const std::vector<int64_t>& target,
                                const RelevanceOptions& options = {});

}  // namespace strata::introspect
