// Layer: a module that maps one tensor to one tensor. Calling it runs forward(), then its hooks,
// then shows the result to the observers under the layer's path ("layer3.0.conv1"), each of which
// may put another tensor in its place. With no hook and no observer a call costs two tests.
//
// A layer that is called twice shows two activations of the same name. A layer that fuses others (a
// batch norm with its ReLU and residual sum) shows the fused result under its own name. The root
// has no path, so its result is not shown: the caller has it.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "engine/event.h"
#include "engine/nn/module.h"

namespace strata {

class Layer : public Module {
 public:
  // Sees input and output of each call; a defined return value replaces the output.
  using Hook = std::function<Tensor(Layer& layer, const Tensor& input, const Tensor& output)>;

  std::string kind() const override { return "Layer"; }
  virtual Tensor forward(const Tensor& x) = 0;
  Tensor operator()(const Tensor& x) {
    return run(x, [&] { return forward(x); });
  }

  // Returns a handle for remove_forward_hook(). Hooks run in the order they were added.
  int register_forward_hook(Hook hook);
  void remove_forward_hook(int handle);

 protected:
  // For layers with more than one input: what operator() does around forward(). An error that
  // comes out of `compute` is told again with the layer's path and kind.
  template <class F>
  Tensor run(const Tensor& x, F&& compute) {
    try {
      Tensor out = compute();
      if (hooks_.empty() && !ActivationObserver::active()) [[likely]]
        return out;
      return observed(x, std::move(out));
    } catch (const OutOfMemory&) {
      throw;
    } catch (const Error& error) {
      explain(error);
    }
  }
  // Shows an inner value under path().name, for what is no layer (attention weights, a residual
  // sum). Free when nobody observes.
  Tensor named(const char* name, Tensor value) const {
    if (!ActivationObserver::active()) [[likely]]
      return value;
    return emit(name, std::move(value));
  }
  // The name under which named() shows a value.
  std::string path_of(const char* name) const;

 private:
  Tensor observed(const Tensor& x, Tensor out);
  Tensor emit(const char* name, Tensor value) const;
  [[noreturn]] void explain(const Error& error) const;

  std::vector<std::pair<int, Hook>> hooks_;
};

// An error of an op inside a layer, with the layer's path added.
class LayerError : public Error {
 public:
  using Error::Error;
};

// Paths of the activations that `model` shows when it is given `x`, in order, each once. Runs the
// model without gradients, as it is (training or not).
std::vector<std::string> named_activations(Layer& model, const Tensor& x);

}  // namespace strata
