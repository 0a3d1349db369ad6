// Reverse-mode automatic differentiation, define-by-run.
//
// A Node is one result: its op's name, the nodes of its inputs, what it saved, and one function
// that turns the gradient of the result into gradients of the inputs (a vector-Jacobian product,
// "vjp"). backward() walks the nodes reachable from a result, newest first, and adds up gradients.
// The vjps are written with public ops, so with `create_graph` the gradients have graphs of their
// own and can be differentiated again.
//
// A graph belongs to one thread at a time.
#pragma once

#include <functional>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "engine/error.h"
#include "engine/event.h"
#include "engine/tensor/tensor.h"

namespace strata {

using Gradients = std::vector<Tensor>;  // one an input, in order; undefined means "none"

// What the forward pass kept for the vjp, as the vjp sees it. Reading a value that was overwritten
// in place since, or one of a graph that has been freed, is an error.
class Saved {
 public:
  explicit Saved(const Node& node) : node_(node) {}
  // The i-th saved tensor; a saved result comes back attached to its graph.
  Tensor operator[](int i) const;
  // Whether input i wants a gradient; vjps skip the others.
  bool needs(int i) const;

 private:
  const Node& node_;
};

using Vjp = std::function<Gradients(const Tensor& gradient, const Saved& saved)>;
using TensorHook = std::function<Tensor(const Tensor& gradient)>;

struct SavedTensor {
  Tensor tensor;  // the result itself is kept detached, or the node would own itself
  uint32_t version = 0;
  bool is_result = false;
};

struct Node : Counted {
  const char* name = "leaf";
  Caller at;
  uint64_t order = 0;  // creation order; inputs are always older than results
  Dims shape;
  DType dtype = DType::f32;
  std::vector<Ref<Node>> inputs;  // null: that input wants no gradient
  std::vector<SavedTensor> saved;
  Vjp vjp;
  bool retains_grad = false;  // leaves and whoever asked
  bool freed = false;         // a backward pass has let go of what was saved
  Tensor grad;                // kept across passes, for those that retain
  std::vector<std::pair<int, TensorHook>> hooks;

  // State of the pass in progress.
  Tensor pending;
  uint64_t visited = 0;
  bool useful = false;  // leads to a node whose gradient is wanted
  Node* next_dead = nullptr;

  bool is_leaf() const { return inputs.empty(); }
  // Frees long chains without recursion.
  static void destroy(Node* node);
};

Ref<Node> make_leaf(const Tensor& tensor);

// Whether results are being recorded, and scopes that change it.
bool grad_enabled();
class GradMode {
 public:
  explicit GradMode(bool enabled);
  ~GradMode();
  GradMode(const GradMode&) = delete;
  GradMode& operator=(const GradMode&) = delete;

 private:
  bool previous_;
};
struct NoGrad : GradMode {
  NoGrad() : GradMode(false) {}
};
struct EnableGrad : GradMode {
  EnableGrad() : GradMode(true) {}
};

// How an op enters the graph. Returns `out`, with a node when gradients are on and an input wants
// one. `saved` lists what the vjp reads, in the order of saved[i]; `out` may be among them.
//   return record(out, "mul", at, {a, b}, {a, b}, [](const Tensor& g, const Saved& s) {
//     return Gradients{s.needs(0) ? g * s[1] : Tensor(), s.needs(1) ? g * s[0] : Tensor()};
//   });
using TensorRefs = std::initializer_list<std::reference_wrapper<const Tensor>>;
namespace detail {
// Events and anomaly checks.
void observe(const Tensor& out, const char* op, Caller at, TensorRefs inputs);
void observe(const Tensor& out, const char* op, Caller at, std::span<const Tensor> inputs);
Tensor attach(Tensor out, const char* op, Caller at, TensorRefs inputs, TensorRefs saved, Vjp vjp);
Tensor attach(Tensor out, const char* op, Caller at, std::span<const Tensor> inputs,
              TensorRefs saved, Vjp vjp);
extern thread_local bool grad_mode;
extern thread_local bool watching;  // anomaly mode is on
extern thread_local bool in_vjp;    // ops serve a backward pass, which checks its gradients itself
}  // namespace detail

template <class F>
Tensor record(Tensor out, const char* op, Caller at, TensorRefs inputs, TensorRefs saved, F&& vjp) {
  if (detail::grad_mode) {
    for (const Tensor& input : inputs) {
      if (input.defined() && input.requires_grad()) {
        out = detail::attach(std::move(out), op, at, inputs, saved, std::forward<F>(vjp));
        break;
      }
    }
  }
  if (detail::watching || OpObserver::active()) detail::observe(out, op, at, inputs);
  return out;
}
// The same for any number of inputs (concatenate, einsum, checkpoint).
template <class F>
Tensor record(Tensor out, const char* op, Caller at, std::span<const Tensor> inputs,
              TensorRefs saved, F&& vjp) {
  if (detail::grad_mode) {
    for (const Tensor& input : inputs) {
      if (input.defined() && input.requires_grad()) {
        out = detail::attach(std::move(out), op, at, inputs, saved, std::forward<F>(vjp));
        break;
      }
    }
  }
  if (detail::watching || OpObserver::active()) detail::observe(out, op, at, inputs);
  return out;
}
// For results without a gradient (comparisons, argmax, random numbers): events only.
inline Tensor record(Tensor out, const char* op, Caller at) {
  if (detail::watching || OpObserver::active()) detail::observe(out, op, at, TensorRefs{});
  return out;
}

struct BackwardOptions {
  bool create_graph = false;  // gradients can be differentiated again
  bool retain_graph = false;  // what was saved stays, for another pass (implied by create_graph)
  bool allow_unused =
      false;  // grad(): an input the outputs do not depend on gives an undefined one
};

// Adds the gradient of `output` to grad() of every leaf below it. `gradient` defaults to 1 for a
// scalar output.
void backward(const Tensor& output, const Tensor& gradient = {}, BackwardOptions options = {},
              Caller at = Caller::here());

// Gradients of sum(outputs * gradients) with respect to `inputs`; grad() of nobody changes.
std::vector<Tensor> grad(const std::vector<Tensor>& outputs, const std::vector<Tensor>& inputs,
                         const std::vector<Tensor>& gradients = {}, BackwardOptions options = {},
                         Caller at = Caller::here());
Tensor grad(const Tensor& output, const Tensor& input, BackwardOptions options = {},
            Caller at = Caller::here());

// Gradients of the inputs of one result for `gradient` at the result, each of its input's shape;
// undefined for inputs that want none. What the graph saved is used as it is and kept, except that
// instead[i], where defined, takes the place of the i-th saved tensor: so rules of relevance
// propagation run an op's own gradient with other weights.
Gradients vjp(const Ref<Node>& node, const Tensor& gradient,
              const std::vector<Tensor>& instead = {});

// Hessian of the scalar f at x, times v (reverse over reverse): d/dx <df/dx, v>.
Tensor hessian_vector_product(const std::function<Tensor(const Tensor&)>& f, const Tensor& x,
                              const Tensor& v, Caller at = Caller::here());

// Calls `hook` with each gradient that reaches `tensor`; a defined return value replaces it.
// Returns a handle for remove_hook().
int register_hook(const Tensor& tensor, TensorHook hook, Caller at = Caller::here());
void remove_hook(const Tensor& tensor, int handle);

// Runs f without keeping what it saves, and again in the backward pass: memory for time (Chen et
// al. 2016, "Training deep nets with sublinear memory cost"). `parameters` are the tensors f uses
// besides its inputs that want gradients; they must not depend on the inputs or on each other.
// Random numbers drawn inside repeat.
Tensor checkpoint(const std::function<Tensor(const std::vector<Tensor>&)>& f,
                  const std::vector<Tensor>& inputs, const std::vector<Tensor>& parameters = {},
                  Caller at = Caller::here());

// While one lives, the first NaN or infinity that an op's result or a gradient holds is an error
// that names the op and the line that called it. Nests.
class AnomalyMode {
 public:
  AnomalyMode();
  ~AnomalyMode();
  AnomalyMode(const AnomalyMode&) = delete;
  AnomalyMode& operator=(const AnomalyMode&) = delete;
  static bool active();
};

// Refuses a write in place that autograd could not undo: to a tensor that records gradients,
// outside NoGrad. Every in-place op calls it, then note_write().
void check_in_place(const Tensor& tensor, const char* op, Caller at);

// The graph below `output` in Graphviz's dot language: nodes are results with their shapes and the
// bytes they saved, boxes are leaves.
std::string to_dot(const Tensor& output,
                   const std::vector<std::pair<std::string, Tensor>>& names = {});
// Bytes kept for the backward pass by the graph below `output`, by op, each storage counted once.
std::vector<std::pair<std::string, size_t>> saved_bytes(const Tensor& output);

}  // namespace strata
