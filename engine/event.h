// The two points everything observable goes through: an op was recorded, a module produced a named
// activation. Off, each costs one test of a thread-local pointer.
//
// Observers nest: the newest sees an event first, then the older ones. They belong to a thread.
// Nothing is observed while a callback runs, so callbacks may use ops and run modules themselves.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "engine/error.h"
#include "engine/tensor/tensor.h"

namespace strata {

struct OpEvent {
  const char* op;
  const Tensor& out;  // attached to its graph
  Caller at;
  const std::vector<Tensor>& inputs;  // the operands a gradient can go to, in order
};

// Sees each op as its result is recorded, with or without gradients.
class OpObserver {
 public:
  explicit OpObserver(std::function<void(const OpEvent&)> callback);
  ~OpObserver();
  OpObserver(const OpObserver&) = delete;
  OpObserver& operator=(const OpObserver&) = delete;

  static bool active() { return newest_ != nullptr; }
  static void emit(const OpEvent& event);

 private:
  std::function<void(const OpEvent&)> callback_;
  OpObserver* older_;
  static inline thread_local OpObserver* newest_ = nullptr;
};

// Sees each named activation ("layer3.0.relu") as its module returns it, and may put another tensor
// in its place by returning one (an undefined tensor leaves it as it is). Gradients flow through.
class ActivationObserver {
 public:
  using Callback = std::function<Tensor(const std::string& name, const Tensor& value)>;
  // Sees the activations of these names; with no names, all of them.
  explicit ActivationObserver(Callback callback, std::vector<std::string> names = {});
  ~ActivationObserver();
  ActivationObserver(const ActivationObserver&) = delete;
  ActivationObserver& operator=(const ActivationObserver&) = delete;

  static bool active() { return newest_ != nullptr; }
  static Tensor emit(const std::string& name, Tensor value);
  // Whether someone lists this name. Values that a layer does not compute by itself (the pattern of
  // an attention head) are computed and shown only then.
  static bool asked(const std::string& name);

 private:
  bool lists(const std::string& name) const;

  Callback callback_;
  std::vector<std::string> names_;
  ActivationObserver* older_;
  static inline thread_local ActivationObserver* newest_ = nullptr;
};

}  // namespace strata
