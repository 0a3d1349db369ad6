// The backward pass: nodes reachable from the outputs, newest first; gradients that meet are added;
// a gradient of broadcast shape is summed to the shape it belongs to here and only here.
#include <algorithm>
#include <atomic>
#include <cmath>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"

namespace strata {
namespace {

std::atomic<uint64_t> next_pass{1};
std::atomic<int> next_hook{0};

// Values a vjp computes on its way need not be finite; the gradients it returns must be.
class InVjp {
 public:
  explicit InVjp(bool inside) : previous_(detail::in_vjp) { detail::in_vjp = inside; }
  ~InVjp() { detail::in_vjp = previous_; }

 private:
  bool previous_;
};

void check_anomaly(const Node& node, const Tensor& gradient, int input) {
  for (double value : gradient.to_vector<double>()) {
    if (std::isfinite(value)) continue;
    fail(node.name, node.at,
         "anomaly mode: the backward pass made {} in the gradient {} of input {}",
         std::isnan(value) ? "a NaN" : "an infinity", describe(gradient), input);
  }
}

// Every node that the roots depend on, newest first (inputs are older than results, so creation
// order is a topological order). Iterative: graphs may be deeper than any stack.
std::vector<Ref<Node>> reachable(const std::vector<Ref<Node>>& roots, uint64_t pass) {
  std::vector<Ref<Node>> nodes;
  auto add = [&](const Ref<Node>& node) {
    if (node && node->visited != pass) {
      node->visited = pass;
      nodes.push_back(node);
    }
  };
  for (auto& root : roots) add(root);
  for (size_t i = 0; i < nodes.size(); ++i) {
    Node* node = nodes[i].get();
    for (auto& input : node->inputs) add(input);
  }
  std::sort(nodes.begin(), nodes.end(),
            [](const Ref<Node>& a, const Ref<Node>& b) { return a->order > b->order; });
  return nodes;
}

// `gradient` in the shape and type of `node`, whose input number `input` of `source` it is.
Tensor fitted(const Node& node, Tensor gradient, const Node* source, int input) {
  if (gradient.shape() != node.shape) {
    Dims joint;
    if (!broadcast(gradient.shape(), node.shape, &joint)) {
      fail(source ? source->name : "backward", source ? source->at : Caller{},
           "the gradient {} of input {} does not fit its shape {}", describe(gradient), input,
           to_string(node.shape));
    }
    if (gradient.shape() != joint) gradient = gradient.expand(joint);
    gradient = sum_to(gradient, node.shape);
  }
  return gradient.dtype() == node.dtype ? gradient : gradient.to(node.dtype);
}

void accumulate(Node& node, Tensor gradient, const Node* source, int input) {
  gradient = fitted(node, std::move(gradient), source, input);
  node.pending = node.pending.defined() ? node.pending + gradient : std::move(gradient);
}

Tensor run_hooks(const Node& node, Tensor gradient) {
  auto hooks = node.hooks;  // a hook may remove itself
  for (auto& [handle, hook] : hooks) {
    Tensor other = hook(gradient);
    if (other.defined()) gradient = other;
  }
  return gradient;
}

void check_not_freed(const Node& node) {
  if (!node.freed) return;
  fail(node.name, node.at,
       "a backward pass has already been through this graph and freed what it saved. Pass "
       "retain_graph = true to the first one, or compute the result again");
}

// One pass over a graph. Passes nest (a checkpoint differentiates inside a pass, and under
// create_graph its graph runs into the outer one), so the state a pass keeps in the nodes is put
// back as it was when the pass ends, also by an error.
class Pass {
 public:
  // `wanted` empty: every leaf wants its gradient. Otherwise only what leads to a wanted node runs.
  Pass(const std::vector<Ref<Node>>& roots, const std::vector<Ref<Node>>& wanted)
      : nodes_(reachable(roots, next_pass.fetch_add(1, std::memory_order_relaxed))),
        wanted_(wanted) {
    if (++depth > 1) {
      for (auto& node : nodes_) outer_.emplace_back(std::move(node->pending), node->useful);
    }
    for (auto& node : nodes_) {
      node->pending = Tensor();
      node->useful = wanted.empty();
    }
    for (auto& node : wanted) {
      if (!nodes_.empty() && node->visited == nodes_[0]->visited) node->useful = true;
    }
    for (auto node = nodes_.rbegin(); node != nodes_.rend() && !wanted.empty(); ++node) {
      for (auto& input : (*node)->inputs) (*node)->useful |= input && input->useful;
    }
  }
  ~Pass() {
    for (size_t i = 0; i < nodes_.size(); ++i) {
      nodes_[i]->pending = i < outer_.size() ? std::move(outer_[i].first) : Tensor();
      if (i < outer_.size()) nodes_[i]->useful = outer_[i].second;
    }
    --depth;
  }

  // `collected`: where the gradients of `wanted` go; null: they accumulate in the leaves.
  void run(std::vector<Tensor>* collected, BackwardOptions options) {
    bool keep = options.retain_graph || options.create_graph;
    GradMode mode(options.create_graph);
    for (const Ref<Node>& node : nodes_) {
      Tensor gradient = std::move(node->pending);
      node->pending = Tensor();
      if (!gradient.defined() || !node->useful) continue;
      if (!node->hooks.empty()) gradient = run_hooks(*node, std::move(gradient));
      if (collected) {
        for (size_t i = 0; i < wanted_.size(); ++i) {
          if (wanted_[i] == node) (*collected)[i] = gradient;
        }
      } else if (node->retains_grad) {
        node->grad = node->grad.defined() ? node->grad + gradient : gradient;
      }
      if (!node->is_leaf()) propagate(*node, gradient, keep);
    }
  }

 private:
  void propagate(Node& node, const Tensor& gradient, bool keep) {
    bool any = false;
    for (auto& input : node.inputs) any |= input && input->useful;
    if (!any) return;  // the pass ends here; what lies below is not its to free
    check_not_freed(node);
    Gradients gradients = run_vjp(node, gradient);
    for (size_t i = 0; i < node.inputs.size() && i < gradients.size(); ++i) {
      if (!node.inputs[i] || !node.inputs[i]->useful || !gradients[i].defined()) continue;
      if (AnomalyMode::active()) check_anomaly(node, gradients[i], static_cast<int>(i));
      accumulate(*node.inputs[i], std::move(gradients[i]), &node, static_cast<int>(i));
    }
    if (!keep) {
      node.saved.clear();
      node.vjp = nullptr;
      node.freed = true;
    }
  }

  static Gradients run_vjp(Node& node, const Tensor& gradient) {
    InVjp inside(true);
    return node.vjp(gradient, Saved(node));
  }

  static inline thread_local int depth = 0;
  std::vector<Ref<Node>> nodes_;
  const std::vector<Ref<Node>>& wanted_;
  std::vector<std::pair<Tensor, bool>> outer_;
};

void check_outputs(const std::vector<Tensor>& outputs, const char* op, Caller at) {
  for (const Tensor& output : outputs) {
    if (output.defined() && output.requires_grad()) continue;
    fail(op, at,
         "the output {} does not depend on anything that requires a gradient (was it computed "
         "under NoGrad, or detached?)",
         describe(output));
  }
}

std::vector<Ref<Node>> nodes_of(const std::vector<Tensor>& tensors) {
  std::vector<Ref<Node>> nodes;
  for (const Tensor& tensor : tensors) nodes.push_back(tensor.node());
  return nodes;
}

// Puts the gradients that start the pass into the outputs' nodes; 1 for a scalar without one.
void seed(const std::vector<Tensor>& outputs, const std::vector<Tensor>& gradients, const char* op,
          Caller at) {
  for (size_t i = 0; i < outputs.size(); ++i) {
    Tensor gradient = i < gradients.size() ? gradients[i] : Tensor();
    if (!gradient.defined()) {
      if (outputs[i].numel() != 1) {
        fail(op, at,
             "the output {} is not a scalar, so it needs a gradient of its shape to start from; "
             "or reduce it with sum() or mean()",
             describe(outputs[i]));
      }
      gradient = full(outputs[i].shape(), 1.0, outputs[i].dtype(), outputs[i].device());
    } else if (gradient.shape() != outputs[i].shape()) {
      fail(op, at, "the gradient {} given for the output {} must have its shape",
           describe(gradient), describe(outputs[i]));
    }
    accumulate(*outputs[i].node(), gradient, nullptr, 0);
  }
}

}  // namespace

void backward(const Tensor& output, const Tensor& gradient, BackwardOptions options, Caller at) {
  check_outputs({output}, "backward", at);
  const std::vector<Ref<Node>> everything;
  Pass pass({output.node()}, everything);
  seed({output}, {gradient}, "backward", at);
  pass.run(nullptr, options);
}

std::vector<Tensor> grad(const std::vector<Tensor>& outputs, const std::vector<Tensor>& inputs,
                         const std::vector<Tensor>& gradients, BackwardOptions options, Caller at) {
  std::vector<Tensor> collected(inputs.size());
  if (inputs.empty()) return collected;
  for (const Tensor& input : inputs) {
    if (!input.defined() || !input.requires_grad()) {
      fail("grad", at, "the input {} does not require a gradient; call set_requires_grad() first",
           describe(input));
    }
  }
  check_outputs(outputs, "grad", at);
  const std::vector<Ref<Node>> wanted = nodes_of(inputs);
  {
    Pass pass(nodes_of(outputs), wanted);
    seed(outputs, gradients, "grad", at);
    pass.run(&collected, options);
  }
  for (size_t i = 0; i < collected.size(); ++i) {
    if (!collected[i].defined() && !options.allow_unused) {
      fail("grad", at,
           "no output depends on input {} ({}); pass allow_unused = true to get an undefined "
           "gradient",
           i, describe(inputs[i]));
    }
  }
  return collected;
}

Tensor grad(const Tensor& output, const Tensor& input, BackwardOptions options, Caller at) {
  return grad(std::vector<Tensor>{output}, std::vector<Tensor>{input}, {}, options, at)[0];
}

Gradients vjp(const Ref<Node>& node, const Tensor& gradient, const std::vector<Tensor>& instead) {
  check_not_freed(*node);
  // A copy, so that the graph stays as it is; the inputs are marked as wanted for the while.
  auto copy = make_ref<Node>();
  copy->name = node->name;
  copy->at = node->at;
  copy->order = node->order;
  copy->shape = node->shape;
  copy->dtype = node->dtype;
  copy->inputs = node->inputs;
  copy->saved = node->saved;
  copy->vjp = node->vjp;
  for (size_t i = 0; i < instead.size(); ++i) {
    if (instead[i].defined()) copy->saved.at(i) = {instead[i], instead[i].storage()->version};
  }
  std::vector<bool> useful;
  for (auto& input : copy->inputs) {
    useful.push_back(input && input->useful);
    if (input) input->useful = true;
  }
  Gradients gradients = copy->vjp(gradient, Saved(*copy));
  gradients.resize(copy->inputs.size());
  for (size_t i = 0; i < gradients.size(); ++i) {
    const Ref<Node>& input = copy->inputs[i];
    if (input) input->useful = useful[i];
    if (!input) gradients[i] = Tensor();
    if (gradients[i].defined()) {
      gradients[i] = fitted(*input, std::move(gradients[i]), node.get(), static_cast<int>(i));
    }
  }
  return gradients;
}

Tensor hessian_vector_product(const std::function<Tensor(const Tensor&)>& f, const Tensor& x,
                              const Tensor& v, Caller at) {
  EnableGrad on;
  Tensor point = x.detach().set_requires_grad();
  Tensor gradient = grad(f(point), point, {.create_graph = true}, at);
  if (!gradient.requires_grad()) return full(x.shape(), 0.0, x.dtype(), x.device());  // f is linear
  auto product = grad(std::vector<Tensor>{sum(gradient * v)}, std::vector<Tensor>{point}, {},
                      {.allow_unused = true}, at)[0];
  return product.defined() ? product : full(x.shape(), 0.0, x.dtype(), x.device());
}

int register_hook(const Tensor& tensor, TensorHook hook, Caller at) {
  if (!tensor.requires_grad()) {
    fail("register_hook", at, "{} does not require a gradient, so none will reach it",
         describe(tensor));
  }
  int handle = next_hook.fetch_add(1, std::memory_order_relaxed);
  tensor.node()->hooks.emplace_back(handle, std::move(hook));
  return handle;
}

void remove_hook(const Tensor& tensor, int handle) {
  if (!tensor.requires_grad()) return;
  std::erase_if(tensor.node()->hooks, [&](auto& entry) { return entry.first == handle; });
}

// The same values as a result of their own: its gradient can be asked for without what else depends
// on x, and flows on to x.
static Tensor alias(const Tensor& x, Caller at) {
  return record(x.detach(), "alias", at, {x}, {},
                [](const Tensor& g, const Saved&) { return Gradients{g}; });
}

Tensor checkpoint(const std::function<Tensor(const std::vector<Tensor>&)>& f,
                  const std::vector<Tensor>& inputs, const std::vector<Tensor>& parameters,
                  Caller at) {
  GeneratorState before = default_generator().state();
  Tensor out;
  {
    NoGrad off;
    out = f(inputs);
  }
  std::vector<Tensor> all = inputs;
  all.insert(all.end(), parameters.begin(), parameters.end());
  auto vjp = [f, inputs, parameters, before, at](const Tensor& g, const Saved& saved) {
    bool second_order = grad_enabled();
    GeneratorState now = default_generator().state();
    default_generator().set_state(before);
    EnableGrad on;
    std::vector<Tensor> again, wanted;
    std::vector<size_t> places;
    for (size_t i = 0; i < inputs.size(); ++i) {
      // Under create_graph the inputs stay attached, so that second derivatives reach them, but not
      // to each other's gradients when one depends on another.
      Tensor input = second_order ? alias(inputs[i], at) : inputs[i].detach();
      if (saved.needs(static_cast<int>(i))) {
        if (!second_order) input.set_requires_grad();
        wanted.push_back(input);
        places.push_back(i);
      }
      again.push_back(input);
    }
    for (size_t i = 0; i < parameters.size(); ++i) {
      if (!saved.needs(static_cast<int>(inputs.size() + i))) continue;
      wanted.push_back(parameters[i]);
      places.push_back(inputs.size() + i);
    }
    Tensor result = f(again);
    default_generator().set_state(now);
    auto found = grad(std::vector<Tensor>{result}, wanted, {g},
                      {.create_graph = second_order, .allow_unused = true}, at);
    Gradients gradients(inputs.size() + parameters.size());
    for (size_t i = 0; i < places.size(); ++i) gradients[places[i]] = found[i];
    return gradients;
  };
  return record(out, "checkpoint", at, std::span<const Tensor>(all), {}, std::move(vjp));
}

}  // namespace strata
