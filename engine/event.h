// The two points everything observable goes through: an op was recorded, a module produced a named
// activation. Off, each costs one test of a thread-local pointer.
//
// Observers nest: the newest sees an event first, then the older ones. They belong to a thread.
// Nothing is observed while a callback runs, so callbacks may use ops and run modules themselves.
#pragma once

#include <functional>
#include <string>

#include "engine/error.h"
#include "engine/tensor/tensor.h"

namespace strata {

struct OpEvent {
  const char* op;
  const Tensor& out;
  Caller at;
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
  explicit ActivationObserver(Callback callback);
  ~ActivationObserver();
  ActivationObserver(const ActivationObserver&) = delete;
  ActivationObserver& operator=(const ActivationObserver&) = delete;

  static bool active() { return newest_ != nullptr; }
  static Tensor emit(const std::string& name, Tensor value);

 private:
  Callback callback_;
  ActivationObserver* older_;
  static inline thread_local ActivationObserver* newest_ = nullptr;
};

}  // namespace strata
