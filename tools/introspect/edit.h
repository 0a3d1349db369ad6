// Edit: puts other values in the place of a named activation, in every forward pass run while it
// lives; gradients flow through what it returns. Ablation, patching and steering are edits.
//
//   Edit edit("conv3", ablate_units({5}));
//   Tensor without = model(x);
//
// A layer used twice shows its name twice: `use` picks one. Nothing is kept after the scope.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "engine/event.h"

namespace strata::introspect {

class Edit {
 public:
  using Change = std::function<Tensor(const Tensor&)>;
  static constexpr int every_use = -1;
  // `use`: which appearance of the name since this began, 0 the first.
  Edit(std::string name, Change change, int use = every_use);

  // How often the name was seen: 0 after a forward pass means that the model has no such
  // activation.
  int seen() const { return seen_; }

 private:
  int seen_ = 0;
  ActivationObserver observer_;
};

// Changes. An activation that does not fit one is an error that says what was expected.
// `value`: the activation's shape, or one that broadcasts to it.
Edit::Change set_to(Tensor value);
// Units are indices of the last axis; they become `value`: a number, or a tensor that broadcasts to
// the activation (mean activations [C]).
Edit::Change ablate_units(std::vector<int64_t> units, double value = 0);
Edit::Change ablate_units(std::vector<int64_t> units, Tensor value);
// Head `head` of `heads`, of an activation [N, T, C] with the heads side by side, or [N, T, heads,
// D].
Edit::Change ablate_head(int64_t head, int64_t heads);
// The values of `source` (the activation's shape, from another run) at these positions of axis 1,
// or everywhere without positions.
Edit::Change patch_from(Tensor source, std::vector<int64_t> positions = {});
// Adds `direction` [C], or any shape that broadcasts, times `amount`.
Edit::Change steer(Tensor direction, double amount = 1);

// A model as introspection sees it: a batch of inputs to scores [N, classes] (or any tensor whose
// first axis is the batch).
using Scores = std::function<Tensor(const Tensor&)>;

// The same model as a function of a named activation: a -> model(x) with `layer`'s activation
// replaced by a. Where a holds k times as many examples as x, x is repeated k times. A layer that
// the model does not show is an error that lists those it does.
Scores from_layer(Scores model, Tensor x, std::string layer);

}  // namespace strata::introspect
