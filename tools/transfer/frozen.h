// Parts of a network: what lies up to a layer, kept as it is while the rest learns, and learning
// rates by depth.
//
// A layer's part is what its activation depends on, and autograd knows that: the parameters that
// its gradient reaches. So branches, residual sums and fused layers need no rules of their own.
//
// A frozen part gets no gradient and stays in evaluation mode, so that batch norm neither uses the
// statistics of the batch nor updates its own, and dropout leaves it alone. Module::train() knows
// nothing of that: hold() comes after it.
#pragma once

#include <string>
#include <vector>

#include "engine/optim/optimizer.h"
#include "models/model.h"

namespace strata::transfer {

struct Part {
  std::vector<std::string> modules;  // paths: all below is in the part; or no parameters, and seen
  std::vector<std::string> tensors;  // parameters and buffers
};

// What lies up to and including the activation `layer` (named_activations() in engine/nn/layer.h).
// `example`: an input. A layer that is not shown is an error that lists the stages.
Part part_up_to(Model& model, const std::string& layer, const Tensor& example,
                Caller at = Caller::here());

class Frozen {
 public:
  Frozen() = default;  // nothing is frozen
  // Keeps a copy of the part's tensors, by which moved() judges. The model must outlive this.
  Frozen(Model& model, const Part& part);
  // Puts the part into evaluation mode; call it after each model.train().
  void hold();
  // Frozen tensors that are no longer equal to what they were, to the bit.
  std::vector<std::string> moved() const;
  // An error that lists those, if there are any.
  void check(Caller at = Caller::here()) const;
  size_t size() const { return copies_.size(); }

 private:
  struct Copy {
    NamedTensor now;
    Tensor before;
  };
  std::vector<Module*> modules_;
  std::vector<Copy> copies_;
};

// Discriminative learning rates (Howard and Ruder 2018): the parameters that want a gradient, one
// group a stage, from input to output. The last stage learns at `rate`, the one before at
// rate * decay, and so on; Howard and Ruder use decay 1 / 2.6. A decay outside (0, 1] is an error.
std::vector<ParameterGroup> groups_by_depth(Model& model, const Tensor& example, double rate,
                                            double decay, Caller at = Caller::here());

}  // namespace strata::transfer
