// What each op is to rules of propagation (relevance.h, deep_lift.h), and what can be read off a
// tape before the walk.
#pragma once

#include <map>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tools/introspect/tape.h"

namespace strata::introspect {

enum class OpKind {
  weighted,    // linear in one input, given the other: convolutions, products
  sum,         // linear in all inputs together
  move,        // copies elements to other places; which ones does not depend on their values
  extreme,     // copies the largest or smallest
  activation,  // elementwise, and what a nonlinearity of a network may be
  function,    // elementwise, other
  product,     // elementwise
  quotient,    // elementwise
  softmax,     // and its logarithm
  row_norm,    // layer_norm, rms_norm
  batch_norm,
};

// Nothing: an op that no rule covers.
std::optional<OpKind> op_kind(std::string_view op);

// Whether `x` is the result of a sigmoid or a softmax, seen through views and masks.
bool is_gate(const Tape& tape, const Tensor& x);

// For each weighted op below `sources`, by position on the tape: how many weighted ops lie before
// it on the longest way.
std::map<int, int> weighted_depths(const Tape& tape, const std::vector<Tensor>& sources);

// How often each result is an operand on the tape.
std::unordered_map<const Node*, int> count_uses(const Tape& tape);

}  // namespace strata::introspect
