// The tape: every op of a forward pass with its operands and result, and a backward walk over it in
// which chosen ops propagate by a rule of their own instead of their gradient. Guided backprop,
// layer-wise relevance propagation and DeepLift are such rules.
//
// A rule belongs to an op, not to a module, so a layer that is used twice, a functional ReLU or a
// residual sum need nothing special: each use is a step of its own.
//
//   Tensor scores;
//   Tape tape([&] { scores = model(x); });          // x wants a gradient
//   Rules rules{.ops = {{"relu", [](const Visit& visit, const Tensor& g) {
//     return Gradients{relu(g)};                     // deconvnet
//   }}}};
//   Tensor image = propagate(tape, scores, seed, {x}, rules)[0];
#pragma once

#include <functional>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/autograd/autograd.h"

namespace strata::introspect {

// One op as it ran.
struct Step {
  const char* op;
  Tensor out;                  // attached to its graph
  std::vector<Tensor> inputs;  // operands a gradient can go to, in order; undefined where left out
  Caller at;
};

// Records what `run` does in this thread, with gradients on and ops that fuse others taken apart
// (engine/ops/plain.h). Holds every intermediate value until it goes.
class Tape {
 public:
  explicit Tape(const std::function<void()>& run);

  // In the order they ran; those under NoGrad have results without a node.
  const std::vector<Step>& steps() const { return steps_; }
  // Position of the step with this result, -1 when it is not on the tape.
  int find(const Node* node) const;

 private:
  std::vector<Step> steps_;
  std::unordered_map<const Node*, int> positions_;
};

// One op as the walk comes to it.
class Visit {
 public:
  Visit(const Tape& tape, Ref<Node> node, std::vector<bool> needs)
      : tape_(tape), node_(std::move(node)), needs_(std::move(needs)) {}

  // What ran. An op that ran before the tape is an error.
  const Step& step() const;
  // Position of the step on the tape, -1 for an op that ran before it.
  int position() const { return tape_.find(node_.get()); }
  const Node& node() const { return *node_; }
  // Whether input i leads to a tensor that the walk is for.
  bool needs(size_t i) const { return i < needs_.size() && needs_[i]; }
  // The op's own gradients for the inputs that are needed (see strata::vjp).
  Gradients vjp(const Tensor& gradient, const std::vector<Tensor>& instead = {}) const;

 private:
  const Tape& tape_;
  Ref<Node> node_;
  std::vector<bool> needs_;
};

// What goes to each input, given what came to the result; sums over the axes along which an input
// was broadcast are done by the walk. Undefined: nothing.
using Rule = std::function<Gradients(const Visit& visit, const Tensor& gradient)>;

struct Rules {
  std::map<std::string, Rule, std::less<>> ops = {};  // by name
  Rule otherwise = {};                                // undefined: the op's own gradient
};

// Walks from `output`, which receives `seed` (its shape), back to the tensors in `wanted`, newest
// op first, and returns what comes to each, in its shape: zeros where nothing does. Without rules
// this is grad(), bit for bit. Hooks of tensors do not run. A tensor in `wanted` that is itself
// computed from another passes on what it received.
// Errors: an output or a wanted tensor without a gradient; a seed of another shape.
std::vector<Tensor> propagate(const Tape& tape, const Tensor& output, const Tensor& seed,
                              const std::vector<Tensor>& wanted, const Rules& rules = {});

// Keeps the named activations of the passes run while it lives, each use of a name, and sees to it
// that they want gradients also where the network's parameters do not.
class Watch {
 public:
  explicit Watch(std::vector<std::string> names);
  // In order of use. A name that was not seen is an error that lists the names given.
  const std::vector<Tensor>& operator[](const std::string& name) const;

 private:
  std::vector<std::string> names_;
  std::map<std::string, std::vector<Tensor>> values_;
  ActivationObserver observer_;
};

}  // namespace strata::introspect
