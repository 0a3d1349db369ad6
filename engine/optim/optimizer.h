// Optimizer: what updates the parameters of a model from their gradients.
//   AdamW optimizer(model.named_parameters(), {.learning_rate = 3e-4, .weight_decay = 0.1});
//   for (...) { optimizer.zero_grad(); loss(model(x)).backward(); optimizer.step(); }
//
// Parameters come in groups, each with its own learning rate and weight decay. A parameter without
// a gradient is left alone, state and all. An update is one fused pass over all parameters
// (kernels/optim/optim.h).
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "engine/nn/module.h"

namespace strata {

struct ParameterGroup {
  std::vector<NamedTensor> parameters;
  double learning_rate = -1;  // below 0: the optimizer's
  double weight_decay = -1;   // below 0: the optimizer's
  // What schedules multiply; set by the constructor.
  double initial_learning_rate = 0;
};

class Optimizer {
 public:
  virtual ~Optimizer() = default;
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  // "Adam", as checkpoints call it.
  virtual const char* name() const = 0;
  virtual void step(Caller at = Caller::here()) = 0;
  void zero_grad();

  std::vector<ParameterGroup>& groups() { return groups_; }
  // Of the first group.
  double learning_rate() const { return groups_.front().learning_rate; }
  // Sets it for all groups.
  void set_learning_rate(double rate);

  // The state: tensors called "<parameter>.<state>" ("conv1.weight.momentum", in order of
  // parameters), and the numbers that are no tensors (step counts, learning rates).
  StateDict state_dict() const;
  nlohmann::json numbers() const;
  // What keeps a state from fitting, a line each. A parameter that had not been updated yet has no
  // state.
  std::vector<std::string> differences(const StateDict& state, const nlohmann::json& numbers) const;
  // A state that does not fit is an error that lists the differences, and nothing changes.
  void load_state_dict(const StateDict& state, const nlohmann::json& numbers,
                       Caller at = Caller::here());

 protected:
  // A parameter and what the optimizer keeps for it.
  struct Slot {
    std::string name;
    Tensor parameter;
    size_t group;
    int64_t steps = 0;  // updates so far
    std::vector<Tensor>
        state;  // f32 (f64 for f64 parameters), the parameter's shape; may be undefined
  };
  // `state_names`: "momentum"; the states to keep.
  Optimizer(std::vector<ParameterGroup> groups, double learning_rate, double weight_decay,
            std::vector<std::string> state_names);
  // Slots of a group that have a gradient, with states made (zero) where they are missing, handed
  // to `update` in batches that share a step count. Marks parameters as written.
  template <class Update>
  void for_each_batch(Caller at, Update&& update);

  // Where the parameters lie.
  Device device() const { return slots_.front().parameter.device(); }

  std::vector<ParameterGroup> groups_;
  std::vector<Slot> slots_;
  std::vector<std::string> state_names_;
};

// Names by position, for parameters that have none.
std::vector<NamedTensor> numbered(const std::vector<Tensor>& tensors);

struct SGDOptions {
  double learning_rate = 1e-2;
  double momentum = 0;
  double dampening = 0;
  double weight_decay = 0;
  bool nesterov = false;
};
// Stochastic gradient descent with (Nesterov) momentum as PyTorch writes it: the learning rate
// multiplies the buffer, so that changing it acts at once (Sutskever et al. 2013).
class SGD : public Optimizer {
 public:
  SGD(std::vector<ParameterGroup> groups, const SGDOptions& options = {});
  SGD(std::vector<NamedTensor> parameters, const SGDOptions& options = {})
      : SGD(std::vector<ParameterGroup>{{std::move(parameters)}}, options) {}
  SGD(const std::vector<Tensor>& parameters, const SGDOptions& options = {})
      : SGD(numbered(parameters), options) {}
  const char* name() const override { return "SGD"; }
  void step(Caller at = Caller::here()) override;

  SGDOptions options;
};

struct AdamOptions {
  double learning_rate = 1e-3;
  double beta1 = 0.9, beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;
};
// Kingma and Ba 2015; weight decay is added to the gradient (L2).
class Adam : public Optimizer {
 public:
  Adam(std::vector<ParameterGroup> groups, const AdamOptions& options = {})
      : Adam(std::move(groups), options, false) {}
  Adam(std::vector<NamedTensor> parameters, const AdamOptions& options = {})
      : Adam(std::vector<ParameterGroup>{{std::move(parameters)}}, options) {}
  Adam(const std::vector<Tensor>& parameters, const AdamOptions& options = {})
      : Adam(numbered(parameters), options) {}
  const char* name() const override { return "Adam"; }
  void step(Caller at = Caller::here()) override;

  AdamOptions options;

 protected:
  Adam(std::vector<ParameterGroup> groups, const AdamOptions& options, bool decoupled);
  bool decoupled_;
};

// Adam with weight decay apart from the gradient: p *= 1 - learning rate * weight decay (Loshchilov
// and Hutter 2019).
class AdamW : public Adam {
 public:
  static AdamOptions defaults() { return {.weight_decay = 1e-2}; }
  AdamW(std::vector<ParameterGroup> groups, const AdamOptions& options = defaults())
      : Adam(std::move(groups), options, true) {}
  AdamW(std::vector<NamedTensor> parameters, const AdamOptions& options = defaults())
      : AdamW(std::vector<ParameterGroup>{{std::move(parameters)}}, options) {}
  AdamW(const std::vector<Tensor>& parameters, const AdamOptions& options = defaults())
      : AdamW(numbered(parameters), options) {}
  const char* name() const override { return "AdamW"; }
};

struct RMSpropOptions {
  double learning_rate = 1e-2;
  double alpha = 0.99;
  double epsilon = 1e-8;
  double weight_decay = 0;
  double momentum = 0;
  bool centered = false;
};
// Tieleman and Hinton 2012; centered as Graves 2013.
class RMSprop : public Optimizer {
 public:
  RMSprop(std::vector<ParameterGroup> groups, const RMSpropOptions& options = {});
  RMSprop(std::vector<NamedTensor> parameters, const RMSpropOptions& options = {})
      : RMSprop(std::vector<ParameterGroup>{{std::move(parameters)}}, options) {}
  RMSprop(const std::vector<Tensor>& parameters, const RMSpropOptions& options = {})
      : RMSprop(numbered(parameters), options) {}
  const char* name() const override { return "RMSprop"; }
  void step(Caller at = Caller::here()) override;

  RMSpropOptions options;
};

}  // namespace strata
