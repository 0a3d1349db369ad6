// Module: a tree of named parameters, buffers and children.
//
// A module owns its children; a parent makes each in place and keeps a reference, so that the
// declaration reads as the network does:
//   class Block : public Layer {
//     Conv2d& conv = add<Conv2d>("conv", 16, 32, 3);
//     BatchNorm& norm = add<BatchNorm>("norm", 32);
//   };
// Names are joined with dots from the root ("layer3.0.conv.weight"), in the order of declaration;
// parameters of layers are called weight and bias as in PyTorch. A module's path is complete once
// the outermost module is built, and activations are observed under it (engine/nn/layer.h).
//
// A module is used by one thread at a time.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/tensor/tensor.h"

namespace strata {

struct NamedTensor {
  std::string name;
  Tensor tensor;
};
// Parameters and buffers by name. The tensors share storage with the module they came from.
using StateDict = std::map<std::string, Tensor>;

// What did not match when a state dict was loaded.
struct LoadReport {
  std::vector<std::string> missing;     // the module has it, the state dict does not
  std::vector<std::string> unexpected;  // the other way round
};

class Module {
 public:
  Module() = default;
  virtual ~Module() = default;
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  // What it is, for tables and errors: "Conv2d(3 -> 16, 3x3)".
  virtual std::string kind() const { return "Module"; }
  // Dotted name from the root; empty for the root itself.
  const std::string& path() const { return path_; }

  // Depth first, in order of declaration. A tensor reached twice (tied weights) is listed once,
  // under its first name.
  std::vector<NamedTensor> named_parameters() const;
  std::vector<Tensor> parameters() const;
  std::vector<NamedTensor> named_buffers() const;
  // This module (path "" relative to itself) and all below it.
  std::vector<std::pair<std::string, Module*>> named_modules();
  const std::vector<std::pair<std::string, std::shared_ptr<Module>>>& children() const {
    return children_;
  }
  // The module at a dotted path below this one; an unknown one is an error that lists the names.
  Module& find(const std::string& path, Caller at = Caller::here());

  // Elements of all parameters.
  int64_t parameter_count() const;

  // Dropout and batch norm behave differently in training and evaluation.
  Module& train(bool training = true);
  Module& eval() { return train(false); }
  bool training() const { return training_; }

  // Converts the parameters in place (every handle to them sees it) and drops their gradients.
  // Buffers keep their type: running statistics are f32 whatever the parameters are.
  Module& to(DType dtype, Caller at = Caller::here());
  // Moves parameters and buffers, in place likewise.
  Module& to(Device device, Caller at = Caller::here());
  void zero_grad();
  // Whether gradients are computed for the parameters from now on.
  Module& set_trainable(bool trainable);

  // Parameters and buffers.
  StateDict state_dict() const;
  // What keeps a state dict from fitting, a line each; empty when it fits. Names that are on one
  // side only count when `strict`.
  std::vector<std::string> differences(const StateDict& state, bool strict = true) const;
  // Copies values in, converting element types. A shape that differs is always an error; a name on
  // one side only is an error when `strict`, and reported otherwise. Nothing is written on error.
  LoadReport load_state_dict(const StateDict& state, bool strict = true,
                             Caller at = Caller::here());

 protected:
  // Makes a child, owned by this module.
  template <class M, class... Args>
  M& add(const std::string& name, Args&&... args) {
    auto child = std::make_shared<M>(std::forward<Args>(args)...);
    M& reference = *child;
    add_child(name, std::move(child));
    return reference;
  }
  // Takes a child that exists; one that is given to two parents keeps the path of the last.
  void add_child(const std::string& name, std::shared_ptr<Module> child);
  // Registers a tensor that is trained (and makes it require a gradient) or one that is only kept.
  Tensor add_parameter(const std::string& name, Tensor tensor);
  Tensor add_buffer(const std::string& name, Tensor tensor);
  // Takes a parameter out again (folding).
  void remove_parameter(const std::string& name);

  // Called on each module of the tree after train() or eval().
  virtual void mode_changed() {}

 private:
  using Visit = std::function<void(const std::string& prefix, const Module& module)>;
  void visit(const std::string& prefix, const Visit& f) const;
  void set_path(const std::string& path);
  void check_name(const std::string& name) const;

  std::vector<NamedTensor> parameters_, buffers_;
  std::vector<std::pair<std::string, std::shared_ptr<Module>>> children_;
  std::string path_;
  bool training_ = true;
};

// The tree with kinds and parameter counts, a line a module.
std::string to_string(const Module& module);

// "a, b, c and 12 more", for messages.
std::string listed(const std::vector<std::string>& items);

// Puts `values` (same shape) under every handle to `tensor`: type and storage change, the gradient
// is dropped. For parameters; not recorded.
void rebind(const Tensor& tensor, const Tensor& values);

}  // namespace strata
