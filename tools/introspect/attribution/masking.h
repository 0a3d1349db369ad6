// The score of an input of which a part is hidden, that is, replaced by a baseline: what occlusion,
// feature ablation and Shapley values all ask for, many masks at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "engine/tensor/tensor.h"
#include "tools/introspect/attribution/target.h"

namespace strata::introspect {

// Which positions of a grid are hidden, one byte each, row-major.
using Hidden = std::vector<uint8_t>;

// The groups that an example's elements belong to, from 0 to count - 1. `grid` has an example's
// rank and broadcasts to it.
struct Groups {
  std::vector<int64_t> of;  // of each position of the grid
  Dims grid;
  int64_t count = 0;
};
// From an integer tensor that broadcasts to one example of x; undefined: every element is a group.
// `op` asks, and its errors are about shapes and negative numbers.
Groups groups_of(const char* op, const Tensor& groups, const Tensor& x);
// The mask that hides the groups for which hidden(group) is true.
template <class F>
Hidden mask_of(const Groups& groups, F&& hidden) {
  Hidden mask;
  for (int64_t group : groups.of) mask.push_back(hidden(group) ? 1 : 0);
  return mask;
}

// A batch and what stands in for what is hidden. `grid`: the masks' shape, which broadcasts to an
// example. The model must live as long.
class Masking {
 public:
  Masking(const char* op, const Scores& model, const Tensor& x, const Tensor& baseline,
          const std::vector<int64_t>& target, const PassLimit& limit, Dims grid);

  // Scores of every example under each of `count` masks, which hide(mask) makes when their turn
  // comes: take(mask, example, score), in order. Masks and examples share passes.
  void scores(int64_t count, const std::function<Hidden(int64_t mask)>& hide,
              const std::function<void(int64_t mask, int64_t example, double score)>& take) const;

 private:
  std::vector<double> pass(const std::vector<int64_t>& rows, const Hidden& hidden) const;

  const Scores& model_;
  Tensor x_, under_;
  std::vector<int64_t> target_;
  Dims grid_;
  int64_t limit_ = 1;
};

}  // namespace strata::introspect
