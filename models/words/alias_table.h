// Draws from a fixed distribution over n outcomes in constant time: the alias method (Walker 1977;
// set up in O(n) as Vose 1991). Each outcome keeps a share of its own cell, the rest of the cell
// goes to one other outcome.
#pragma once

#include <cstdint>
#include <vector>

#include "engine/error.h"

namespace strata {

class AliasTable {
 public:
  // In proportion to `weights`, which are not negative and not all zero.
  explicit AliasTable(const std::vector<double>& weights, Caller at = Caller::here()) {
    double total = 0;
    for (double weight : weights) total += weight;
    if (!(total > 0)) fail("AliasTable", at, "{} weights sum to {}", weights.size(), total);
    const size_t n = weights.size();
    share_.assign(n, 1);
    alias_.resize(n);
    std::vector<double> mass(n);
    std::vector<size_t> small, large;
    for (size_t i = 0; i < n; ++i) {
      alias_[i] = static_cast<int>(i);
      mass[i] = weights[i] / total * static_cast<double>(n);
      (mass[i] < 1 ? small : large).push_back(i);
    }
    while (!small.empty() && !large.empty()) {
      const size_t poor = small.back(), rich = large.back();
      small.pop_back();
      share_[poor] = mass[poor];
      alias_[poor] = static_cast<int>(rich);
      mass[rich] -= 1 - mass[poor];
      if (mass[rich] < 1) {
        large.pop_back();
        small.push_back(rich);
      }
    }
  }

  // From 32 uniform bits for the cell and 32 for the share.
  int operator()(uint32_t cell_bits, uint32_t share_bits) const {
    const size_t cell = (static_cast<uint64_t>(cell_bits) * share_.size()) >> 32;
    return share_bits * 0x1p-32 < share_[cell] ? static_cast<int>(cell) : alias_[cell];
  }

 private:
  std::vector<double> share_;
  std::vector<int> alias_;
};

}  // namespace strata
