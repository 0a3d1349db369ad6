// Recording: how results get their nodes, how nodes die, and the modes that watch ops.
#include <atomic>
#include <cmath>

#include "engine/autograd/autograd.h"

namespace strata {

namespace detail {
thread_local bool grad_mode = true;
thread_local bool watching = false;
thread_local bool in_vjp = false;
}  // namespace detail

namespace {

std::atomic<uint64_t> next_order{1};
thread_local int anomaly_depth = 0;

template <class Inputs>
Tensor attach_node(Tensor out, const char* op, Caller at, const Inputs& inputs, TensorRefs saved,
                   Vjp vjp) {
  if (!is_float(out.dtype())) return out;
  // A result that is an input's own data (nothing to do) needs a handle of its own.
  if (out.node()) out = out.detach();
  auto node = make_ref<Node>();
  node->name = op;
  node->at = at;
  node->order = next_order.fetch_add(1, std::memory_order_relaxed);
  node->shape = out.shape();
  node->dtype = out.dtype();
  node->inputs.reserve(inputs.size());
  for (const Tensor& input : inputs) {
    node->inputs.push_back(input.defined() ? input.node() : Ref<Node>());
  }
  node->saved.reserve(saved.size());
  for (const Tensor& tensor : saved) {
    bool is_result = tensor.defined() && tensor.get() == out.get();
    node->saved.push_back({is_result ? tensor.detach() : tensor,
                           tensor.defined() ? tensor.storage()->version : 0, is_result});
  }
  node->vjp = std::move(vjp);
  out.get()->node = std::move(node);
  return out;
}

void notify(const Tensor& out, const char* op, Caller at, const std::vector<Tensor>& inputs) {
  OpObserver::emit({op, out, at, inputs});
  if (anomaly_depth == 0 || detail::in_vjp || !is_float(out.dtype())) return;
  for (double value : out.to_vector<double>()) {
    if (std::isfinite(value)) continue;
    fail(op, at, "anomaly mode: the forward pass made {} in the result {}",
         std::isnan(value) ? "a NaN" : "an infinity", describe(out));
  }
}

}  // namespace

bool grad_enabled() { return detail::grad_mode; }
GradMode::GradMode(bool enabled) : previous_(detail::grad_mode) { detail::grad_mode = enabled; }
GradMode::~GradMode() { detail::grad_mode = previous_; }

namespace detail {

void observe(const Tensor& out, const char* op, Caller at, TensorRefs inputs) {
  notify(out, op, at, {inputs.begin(), inputs.end()});
}
void observe(const Tensor& out, const char* op, Caller at, std::span<const Tensor> inputs) {
  notify(out, op, at, {inputs.begin(), inputs.end()});
}

Tensor attach(Tensor out, const char* op, Caller at, TensorRefs inputs, TensorRefs saved, Vjp vjp) {
  return attach_node(std::move(out), op, at, inputs, saved, std::move(vjp));
}
Tensor attach(Tensor out, const char* op, Caller at, std::span<const Tensor> inputs,
              TensorRefs saved, Vjp vjp) {
  return attach_node(std::move(out), op, at, inputs, saved, std::move(vjp));
}

}  // namespace detail

Ref<Node> make_leaf(const Tensor& tensor) {
  auto node = make_ref<Node>();
  node->order = next_order.fetch_add(1, std::memory_order_relaxed);
  node->shape = tensor.shape();
  node->dtype = tensor.dtype();
  node->retains_grad = true;
  tensor.storage()->parameter = true;
  return node;
}

void retain(Node* node) { node->references.fetch_add(1, std::memory_order_relaxed); }
void release(Node* node) {
  if (node->references.fetch_sub(1, std::memory_order_acq_rel) == 1) Node::destroy(node);
}

void Node::destroy(Node* node) {
  // A list through the nodes themselves: no memory to ask for, and nothing that could be destroyed
  // before the last tensor of static storage.
  static thread_local Node* dead = nullptr;
  static thread_local bool draining = false;
  node->next_dead = dead;
  dead = node;
  if (draining) return;
  draining = true;
  while (dead) {
    Node* next = dead;
    dead = next->next_dead;
    delete next;
  }
  draining = false;
}

Tensor Saved::operator[](int i) const {
  const SavedTensor& saved = node_.saved.at(static_cast<size_t>(i));
  if (!saved.tensor.defined()) return Tensor();
  const Storage& storage = *saved.tensor.storage();
  if (storage.version != saved.version) {
    fail(
        node_.name, node_.at,
        "the backward pass needs {} as it was in the forward pass (version {}), but '{}' at {} has "
        "overwritten it (version {}). Use the op that returns a new tensor, or clone() first",
        describe(saved.tensor), saved.version, storage.last_writer, to_string(storage.last_write),
        storage.version);
  }
  if (!saved.is_result || !grad_enabled()) return saved.tensor;
  Tensor result = saved.tensor.detach();
  result.get()->node = Ref<Node>(const_cast<Node*>(&node_));
  return result;
}

bool Saved::needs(int i) const {
  const Ref<Node>& input = node_.inputs.at(static_cast<size_t>(i));
  return input && input->useful;
}

void check_in_place(const Tensor& tensor, const char* op, Caller at) {
  if (!grad_enabled() || !tensor.requires_grad()) return;
  if (tensor.is_leaf()) {
    fail(op, at,
         "{} is a leaf that requires a gradient and cannot change in place while gradients are "
         "recorded; put the update in a NoGrad scope",
         describe(tensor));
  }
  fail(
      op, at,
      "{} is the result of '{}' and records gradients; changing it in place would make them wrong. "
      "Use the op that returns a new tensor",
      describe(tensor), tensor.node()->name);
}

AnomalyMode::AnomalyMode() {
  ++anomaly_depth;
  detail::watching = true;
}
AnomalyMode::~AnomalyMode() { detail::watching = --anomaly_depth > 0; }
bool AnomalyMode::active() { return anomaly_depth > 0; }

}  // namespace strata
