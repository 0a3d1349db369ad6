#include "tools/introspect/tape.h"

#include <algorithm>
#include <unordered_set>

#include "engine/ops.h"

namespace strata::introspect {
namespace {

// Every node below `root`, newest first: creation order is a topological order.
std::vector<Ref<Node>> below(const Ref<Node>& root) {
  std::vector<Ref<Node>> nodes{root};
  std::unordered_set<const Node*> seen{root.get()};
  for (size_t i = 0; i < nodes.size(); ++i) {
    const Ref<Node> node = nodes[i];
    for (const Ref<Node>& input : node->inputs) {
      if (input && seen.insert(input.get()).second) nodes.push_back(input);
    }
  }
  std::sort(nodes.begin(), nodes.end(),
            [](const Ref<Node>& a, const Ref<Node>& b) { return a->order > b->order; });
  return nodes;
}

// In the shape and type of `node`.
Tensor fitted(const Node& node, const Tensor& gradient, const Node& source) {
  Tensor fit = gradient;
  if (fit.shape() != node.shape) {
    Dims joint;
    if (!broadcast(fit.shape(), node.shape, &joint)) {
      fail("propagate", source.at, "the rule for '{}' gave {} to an input of shape {}", source.name,
           describe(gradient), to_string(node.shape));
    }
    fit = sum_to(fit.expand(joint), node.shape);
  }
  return fit.dtype() == node.dtype ? fit : fit.to(node.dtype);
}

class Walk {
 public:
  Walk(const Tape& tape, const Rules& rules, const Ref<Node>& root,
       const std::vector<Tensor>& wanted)
      : tape_(tape), rules_(rules), nodes_(below(root)) {
    for (const Tensor& tensor : wanted) useful_.insert(tensor.node().get());
    for (auto node = nodes_.rbegin(); node != nodes_.rend(); ++node) {
      for (const Ref<Node>& input : (*node)->inputs) {
        if (useful(input)) useful_.insert(node->get());
      }
    }
  }

  std::vector<Tensor> run(const Tensor& seed, const std::vector<Tensor>& wanted) {
    NoGrad off;
    std::vector<Tensor> received(wanted.size());
    pending_[nodes_.front().get()] = seed;
    for (const Ref<Node>& node : nodes_) {
      auto found = pending_.find(node.get());
      if (found == pending_.end()) continue;
      Tensor gradient = std::move(found->second);
      pending_.erase(found);
      for (size_t i = 0; i < wanted.size(); ++i) {
        if (wanted[i].node() == node) received[i] = gradient;
      }
      visit(node, gradient);
    }
    for (size_t i = 0; i < wanted.size(); ++i) {
      if (!received[i].defined()) received[i] = zeros_like(wanted[i].detach());
    }
    return received;
  }

 private:
  bool useful(const Ref<Node>& node) const { return node && useful_.count(node.get()) > 0; }

  void visit(const Ref<Node>& node, const Tensor& gradient) {
    std::vector<bool> needs;
    for (const Ref<Node>& input : node->inputs) needs.push_back(useful(input));
    if (std::find(needs.begin(), needs.end(), true) == needs.end()) return;
    Visit here(tape_, node, needs);
    auto named = rules_.ops.find(std::string_view(node->name));
    const Rule& rule = named != rules_.ops.end() ? named->second : rules_.otherwise;
    Gradients gradients = rule ? rule(here, gradient) : here.vjp(gradient);
    for (size_t i = 0; i < needs.size() && i < gradients.size(); ++i) {
      if (!needs[i] || !gradients[i].defined()) continue;
      Tensor& sum = pending_[node->inputs[i].get()];
      Tensor share = fitted(*node->inputs[i], gradients[i], *node);
      sum = sum.defined() ? sum + share : share;
    }
  }

  const Tape& tape_;
  const Rules& rules_;
  std::vector<Ref<Node>> nodes_;
  std::unordered_set<const Node*> useful_;
  std::unordered_map<const Node*, Tensor> pending_;
};

}  // namespace

Tape::Tape(const std::function<void()>& run) {
  PlainOps plain;
  EnableGrad on;
  OpObserver observer([this](const OpEvent& event) {
    // The first step with a node made it; an op with nothing to do may hand on its operand.
    if (event.out.node()) {
      positions_.emplace(event.out.node().get(), static_cast<int>(steps_.size()));
    }
    steps_.push_back({event.op, event.out, event.inputs, event.at});
  });
  run();
}

int Tape::find(const Node* node) const {
  auto found = positions_.find(node);
  return found == positions_.end() ? -1 : found->second;
}

const Step& Visit::step() const {
  int at = position();
  if (at < 0) {
    fail("propagate", node_->at,
         "'{}' has a rule but is not on the tape; compute it inside the Tape's function, or pass "
         "its detached result",
         node_->name);
  }
  return tape_.steps()[static_cast<size_t>(at)];
}

Gradients Visit::vjp(const Tensor& gradient, const std::vector<Tensor>& instead) const {
  // Without the inputs that are not asked for: the gradient of a weight is as dear as that of x.
  auto trimmed = make_ref<Node>();
  trimmed->name = node_->name;
  trimmed->at = node_->at;
  trimmed->order = node_->order;
  trimmed->shape = node_->shape;
  trimmed->dtype = node_->dtype;
  trimmed->saved = node_->saved;
  trimmed->vjp = node_->vjp;
  trimmed->freed = node_->freed;
  for (size_t i = 0; i < node_->inputs.size(); ++i) {
    trimmed->inputs.push_back(needs(i) ? node_->inputs[i] : Ref<Node>());
  }
  return strata::vjp(trimmed, gradient, instead);
}

std::vector<Tensor> propagate(const Tape& tape, const Tensor& output, const Tensor& seed,
                              const std::vector<Tensor>& wanted, const Rules& rules) {
  if (!output.defined() || !output.requires_grad()) {
    fail("propagate", Caller{},
         "the output {} does not depend on anything that requires a gradient (call "
         "set_requires_grad() on the input before the tape)",
         describe(output));
  }
  if (!seed.defined() || seed.shape() != output.shape()) {
    fail("propagate", Caller{}, "the seed {} must have the shape of the output {}",
         seed.defined() ? describe(seed) : "(undefined)", describe(output));
  }
  for (const Tensor& tensor : wanted) {
    if (tensor.defined() && tensor.requires_grad()) continue;
    fail("propagate", Caller{}, "the wanted tensor {} does not require a gradient",
         tensor.defined() ? describe(tensor) : "(undefined)");
  }
  return Walk(tape, rules, output.node(), wanted).run(seed, wanted);
}

Watch::Watch(std::vector<std::string> names)
    : names_(names),
      observer_(
          [this](const std::string& name, const Tensor& value) {
            bool wants = value.requires_grad() || !is_float(value.dtype());
            Tensor kept = wants ? value : value.detach().set_requires_grad();
            values_[name].push_back(kept);
            return wants ? Tensor() : kept;
          },
          std::move(names)) {}

const std::vector<Tensor>& Watch::operator[](const std::string& name) const {
  auto found = values_.find(name);
  if (found == values_.end()) {
    fail("watch", Caller{}, "the model showed no activation '{}' (asked for: {})", name,
         fmt::join(names_, ", "));
  }
  return found->second;
}

}  // namespace strata::introspect
