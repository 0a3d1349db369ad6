#include "engine/optim/optimizer.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "engine/autograd/autograd.h"
#include "engine/io/json_text.h"
#include "engine/ops/create.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/view.h"
#include "kernels/optim/optim.h"

namespace strata {

using nlohmann::json;

std::vector<NamedTensor> numbered(const std::vector<Tensor>& tensors) {
  std::vector<NamedTensor> named;
  for (const Tensor& tensor : tensors) named.push_back({std::to_string(named.size()), tensor});
  return named;
}

Optimizer::Optimizer(std::vector<ParameterGroup> groups, double learning_rate, double weight_decay,
                     std::vector<std::string> state_names)
    : groups_(std::move(groups)), state_names_(std::move(state_names)) {
  std::set<std::string> names;
  std::set<const TensorData*> seen;
  for (size_t g = 0; g < groups_.size(); ++g) {
    ParameterGroup& group = groups_[g];
    if (group.learning_rate < 0) group.learning_rate = learning_rate;
    if (group.weight_decay < 0) group.weight_decay = weight_decay;
    group.initial_learning_rate = group.learning_rate;
    for (auto& [name, tensor] : group.parameters) {
      if (!tensor.defined() || !is_float(tensor.dtype()) || !tensor.is_contiguous()) {
        fail("Optimizer", Caller{},
             "parameter '{}' is {}; parameters are contiguous floating-point tensors", name,
             describe(tensor));
      }
      if (!names.insert(name).second || !seen.insert(tensor.get()).second) {
        fail("Optimizer", Caller{}, "parameter '{}' is given twice; each belongs to one group",
             name);
      }
      slots_.push_back({name, tensor, g, 0, std::vector<Tensor>(state_names_.size())});
    }
  }
  if (slots_.empty()) {
    fail("Optimizer", Caller{}, "there are no parameters; pass model.named_parameters()");
  }
}

void Optimizer::zero_grad() {
  for (Slot& slot : slots_) slot.parameter.zero_grad();
}

void Optimizer::set_learning_rate(double rate) {
  for (ParameterGroup& group : groups_) group.learning_rate = rate;
}

template <class Update>
void Optimizer::for_each_batch(Caller at, Update&& update) {
  NoGrad off;
  std::vector<Tensor> gradients;  // keeps contiguous copies alive
  std::vector<cpu::OptimTensor> batch;
  for (size_t g = 0; g < groups_.size(); ++g) {
    // Parameters that missed updates (no gradient) are behind in steps and go in a batch of their
    // own.
    std::set<int64_t> counts;
    for (const Slot& slot : slots_) {
      if (slot.group == g && slot.parameter.grad().defined()) counts.insert(slot.steps);
    }
    for (int64_t steps : counts) {
      batch.clear();
      gradients.clear();
      for (Slot& slot : slots_) {
        if (slot.group != g || slot.steps != steps || !slot.parameter.grad().defined()) continue;
        const Tensor& p = slot.parameter;
        gradients.push_back(p.grad().contiguous());
        const Tensor& gradient = gradients.back();
        if (p.device() != device()) {
          fail(name(), at,
               "'{}' is on {} and '{}' on {}; the parameters of one optimizer lie on one "
               "device",
               slot.name, name_of(p.device()), slots_.front().name, name_of(device()));
        }
        if (gradient.dtype() != p.dtype() || gradient.shape() != p.shape() ||
            gradient.device() != p.device()) {
          fail(name(), at, "the gradient {} of '{}' does not fit the parameter {}",
               describe(gradient), slot.name, describe(p));
        }
        cpu::OptimTensor entry{p.raw(), gradient.raw(), {}, p.numel(), p.dtype()};
        for (size_t s = 0; s < state_names_.size(); ++s) {
          if (state_names_[s].empty()) continue;
          DType dtype = p.dtype() == DType::f64 ? DType::f64 : DType::f32;
          if (!slot.state[s].defined()) slot.state[s] = zeros(p.shape(), dtype, p.device());
          // A model that moved takes its state along.
          slot.state[s] = slot.state[s].to(p.device());
          if (slot.state[s].dtype() != dtype) {
            fail(name(), at,
                 "'{}' has become {} since its first update, while its state is {}; make the "
                 "optimizer after converting the model",
                 slot.name, describe(p), describe(slot.state[s]));
          }
          entry.state[s] = slot.state[s].raw();
        }
        batch.push_back(entry);
      }
      update(device(), std::span<const cpu::OptimTensor>(batch), groups_[g], steps);
      for (Slot& slot : slots_) {
        if (slot.group != g || slot.steps != steps || !slot.parameter.grad().defined()) continue;
        note_write(slot.parameter, name(), at);
      }
    }
    for (Slot& slot : slots_) {
      if (slot.group == g && slot.parameter.grad().defined()) ++slot.steps;
    }
  }
}

StateDict Optimizer::state_dict() const {
  StateDict state;
  for (const Slot& slot : slots_) {
    for (size_t s = 0; s < state_names_.size(); ++s) {
      if (slot.state[s].defined()) state[slot.name + "." + state_names_[s]] = slot.state[s];
    }
  }
  return state;
}

json Optimizer::numbers() const {
  json steps = json::object(), groups = json::array();
  for (const Slot& slot : slots_) steps[slot.name] = slot.steps;
  for (const ParameterGroup& group : groups_) {
    groups.push_back({{"learning_rate", group.learning_rate},
                      {"initial_learning_rate", group.initial_learning_rate},
                      {"weight_decay", group.weight_decay}});
  }
  return {{"optimizer", name()}, {"steps", steps}, {"groups", groups}};
}

std::vector<std::string> Optimizer::differences(const StateDict& state, const json& numbers) const {
  std::vector<std::string> lines;
  auto differ = [&]<class... Args>(fmt::format_string<Args...> format, Args&&... args) {
    lines.push_back(fmt::format(format, std::forward<Args>(args)...));
  };
  try {
    if (const json& kind = numbers.at("optimizer"); kind != name()) {
      differ("the optimizer is {}, here {}", io::json_text(kind), name());
      return lines;
    }
    const json& steps = numbers.at("steps");
    if (numbers.at("groups").size() != groups_.size()) {
      differ("{} parameter groups, here {}", numbers.at("groups").size(), groups_.size());
    }
    for (const json& group : numbers.at("groups")) {
      for (const char* key : {"learning_rate", "initial_learning_rate", "weight_decay"}) {
        group.at(key).get<double>();
      }
    }
    std::set<std::string> known;
    for (const Slot& slot : slots_) {
      if (!steps.contains(slot.name)) {
        differ("'{}' is missing", slot.name);
        continue;
      }
      bool updated = steps.at(slot.name).get<int64_t>() > 0;
      for (auto& state_name : state_names_) {
        if (state_name.empty()) continue;
        std::string key = slot.name + "." + state_name;
        known.insert(key);
        auto found = state.find(key);
        if (found == state.end() && updated) differ("'{}' is missing", key);
        if (found != state.end() && found->second.shape() != slot.parameter.shape()) {
          differ("'{}' is {}, its parameter {}", key, describe(found->second),
                 describe(slot.parameter));
        }
      }
    }
    for (auto& [key, tensor] : state) {
      if (!known.contains(key)) differ("'{}' ({}) is unknown here", key, describe(tensor));
    }
  } catch (const json::exception& error) {
    differ("the optimizer's numbers are damaged ({})", error.what());
  }
  return lines;
}

void Optimizer::load_state_dict(const StateDict& state, const json& numbers, Caller at) {
  std::vector<std::string> wrong = differences(state, numbers);
  if (!wrong.empty()) {
    fail("load_state_dict", at, "the state does not fit {}: {}", name(), listed(wrong));
  }
  NoGrad off;
  const json& steps = numbers.at("steps");
  const json& groups = numbers.at("groups");
  for (Slot& slot : slots_) {
    slot.steps = steps.at(slot.name).get<int64_t>();
    for (size_t s = 0; s < state_names_.size(); ++s) {
      auto found = state.find(slot.name + "." + state_names_[s]);
      slot.state[s] = Tensor();
      if (found == state.end()) continue;
      DType dtype = slot.parameter.dtype() == DType::f64 ? DType::f64 : DType::f32;
      slot.state[s] = found->second.dtype() == dtype ? found->second.clone(at)
                                                     : found->second.to(dtype, at).contiguous();
    }
  }
  for (size_t g = 0; g < groups_.size(); ++g) {
    groups_[g].learning_rate = groups[g].at("learning_rate").get<double>();
    groups_[g].initial_learning_rate = groups[g].at("initial_learning_rate").get<double>();
    groups_[g].weight_decay = groups[g].at("weight_decay").get<double>();
  }
}

SGD::SGD(std::vector<ParameterGroup> groups, const SGDOptions& given)
    : Optimizer(std::move(groups), given.learning_rate, given.weight_decay,
                {given.momentum != 0 ? "momentum" : ""}),
      options(given) {
  if (options.nesterov && (options.momentum <= 0 || options.dampening != 0)) {
    fail("SGD", Caller{}, "Nesterov needs momentum above 0 and no dampening; got {} and {}",
         options.momentum, options.dampening);
  }
}

void SGD::step(Caller at) {
  for_each_batch(at, [&](Device device, auto batch, const ParameterGroup& group, int64_t steps) {
    on(device, name(), at, cpu::sgd, gpu::sgd, batch,
       cpu::SgdArgs{group.learning_rate, options.momentum, options.dampening, group.weight_decay,
                    options.nesterov, steps == 0});
  });
}

Adam::Adam(std::vector<ParameterGroup> groups, const AdamOptions& given, bool decoupled)
    : Optimizer(std::move(groups), given.learning_rate, given.weight_decay, {"mean", "square"}),
      options(given),
      decoupled_(decoupled) {}

void Adam::step(Caller at) {
  for_each_batch(at, [&](Device device, auto batch, const ParameterGroup& group, int64_t steps) {
    double t = static_cast<double>(steps + 1);
    on(device, name(), at, cpu::adam, gpu::adam, batch,
       cpu::AdamArgs{group.learning_rate, options.beta1, options.beta2, options.epsilon,
                     group.weight_decay, 1 - std::pow(options.beta1, t),
                     1 - std::pow(options.beta2, t), decoupled_});
  });
}

RMSprop::RMSprop(std::vector<ParameterGroup> groups, const RMSpropOptions& given)
    : Optimizer(std::move(groups), given.learning_rate, given.weight_decay,
                {"square", given.centered ? "mean" : "", given.momentum != 0 ? "momentum" : ""}),
      options(given) {}

void RMSprop::step(Caller at) {
  for_each_batch(at, [&](Device device, auto batch, const ParameterGroup& group, int64_t) {
    on(device, name(), at, cpu::rmsprop, gpu::rmsprop, batch,
       cpu::RmspropArgs{group.learning_rate, options.alpha, options.epsilon, group.weight_decay,
                        options.momentum});
  });
}

}  // namespace strata
