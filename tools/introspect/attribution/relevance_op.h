// What each op is to relevance propagation, and what can be read off a tape before the walk.
#pragma once

#include <map>
#include <optional>
#include <string_view>
#include <vector>

#include "tools/introspect/tape.h"

namespace strata::introspect {

enum class RelevanceKind {
  linear,      // by a rule for linear ops
  sum,         // linear in all inputs together: in proportion
  carry,       // moves values
  pass,        // elementwise
  product,     // of two activations, or by a constant
  quotient,    // to what is divided
  norm,        // of rows, with a deviation
  batch_norm,  // see the header
};

// Nothing: an op that no rule covers.
std::optional<RelevanceKind> relevance_kind(std::string_view op);

// Whether `x` is the result of a sigmoid or a softmax, seen through views and masks.
bool is_gate(const Tape& tape, const Tensor& x);

// For each op of kind `linear` below `sources`, by position on the tape: how many of them lie
// before it on the longest way.
std::map<int, int> linear_depths(const Tape& tape, const std::vector<Tensor>& sources);

// How often each result is an operand on the tape.
std::unordered_map<const Node*, int> count_uses(const Tape& tape);

}  // namespace strata::introspect
