// A language model that only counts: the yardstick of those that learn. The probability of a
// symbol after a context h of k symbols is what was counted, drawn towards the same with one symbol
// of context fewer (MacKay and Peto 1995, "A hierarchical Dirichlet language model"):
//   p(c | h) = (count(h c) + strength p(c | h without its first)) / (count(h) + strength),
// and below k = 0 every symbol is as likely. O(length * context) to fit, O(context) a symbol.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "engine/error.h"

namespace strata::train {

class CountModel {
 public:
  // `symbols`: how many there are; symbols^(context + 1) must fit into 64 bits.
  CountModel(int64_t symbols, int64_t context, double strength = 2, Caller at = Caller::here());
  // Counts every symbol of the text after those before it.
  void fit(std::span<const int64_t> text);
  // Of text[i] after those before it, with less context where the text begins.
  double probability(std::span<const int64_t> text, size_t i) const;
  // Mean of -log2 probability over text[first], text[first + 1], ... in bits a symbol.
  double bits(std::span<const int64_t> text, size_t first = 0) const;

 private:
  // Counts of one length of context: of each context, and of each context with its next symbol.
  struct Order {
    std::unordered_map<uint64_t, int64_t> contexts, continued;
  };
  // The number of text[first .. last) in base `symbols`.
  uint64_t key(std::span<const int64_t> text, size_t first, size_t last) const;

  uint64_t symbols_;
  double strength_;
  std::vector<Order> orders_;
};

}  // namespace strata::train
