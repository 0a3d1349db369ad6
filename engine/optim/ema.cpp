#include "engine/optim/ema.h"

#include "engine/autograd/autograd.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/view.h"
#include "kernels/optim/optim.h"

namespace strata {
namespace {

Tensor copy_as_average(const Tensor& tensor) {
  DType dtype = tensor.dtype() == DType::f64 ? DType::f64 : DType::f32;
  return tensor.dtype() == dtype ? tensor.detach().clone() : tensor.detach().to(dtype);
}

}  // namespace

MovingAverage::MovingAverage(Module& model, double decay)
    : parameters_(model.named_parameters()), decay_(decay) {
  if (!(decay >= 0 && decay < 1)) {
    fail("MovingAverage", Caller{}, "decay must be in [0, 1); got {}", decay);
  }
  NoGrad off;
  for (auto& [name, tensor] : parameters_) averages_.push_back(copy_as_average(tensor));
}

void MovingAverage::update(Caller at) {
  std::vector<cpu::OptimTensor> list;
  for (size_t i = 0; i < averages_.size(); ++i) {
    const Tensor& p = parameters_[i].tensor;
    averages_[i] = averages_[i].to(p.device());  // the model may have moved
    if ((p.dtype() == DType::f64) != (averages_[i].dtype() == DType::f64)) {
      fail("MovingAverage", at,
           "'{}' has become {}, while its average is {}; make the average after converting the "
           "model",
           parameters_[i].name, describe(p), describe(averages_[i]));
    }
    list.push_back({p.raw(), nullptr, {averages_[i].raw()}, p.numel(), p.dtype()});
  }
  if (list.empty()) return;
  on(averages_[0].device(), "MovingAverage", at, cpu::moving_average, gpu::moving_average,
     std::span<const cpu::OptimTensor>(list), decay_);
  for (const Tensor& average : averages_) note_write(average, "MovingAverage", at);
}

StateDict MovingAverage::state_dict() const {
  StateDict state;
  for (size_t i = 0; i < averages_.size(); ++i) state[parameters_[i].name] = averages_[i];
  return state;
}

std::vector<std::string> MovingAverage::differences(const StateDict& state) const {
  std::vector<std::string> lines;
  for (auto& [name, tensor] : parameters_) {
    auto found = state.find(name);
    if (found == state.end()) {
      lines.push_back(fmt::format("'{}' ({}) is missing", name, describe(tensor)));
    } else if (found->second.shape() != tensor.shape()) {
      lines.push_back(
          fmt::format("'{}' is {}, here {}", name, describe(found->second), describe(tensor)));
    }
  }
  for (auto& [name, tensor] : state) {
    bool known = false;
    for (auto& parameter : parameters_) known |= parameter.name == name;
    if (!known) lines.push_back(fmt::format("'{}' ({}) is unknown here", name, describe(tensor)));
  }
  return lines;
}

void MovingAverage::load_state_dict(const StateDict& state, Caller at) {
  std::vector<std::string> wrong = differences(state);
  if (!wrong.empty()) {
    fail("load_state_dict", at, "the moving average does not fit the model: {}", listed(wrong));
  }
  NoGrad off;
  for (size_t i = 0; i < averages_.size(); ++i) copy_(averages_[i], state.at(parameters_[i].name));
}

MovingAverage::Scope::Scope(MovingAverage& average) : average_(average) {
  NoGrad off;
  for (size_t i = 0; i < average_.averages_.size(); ++i) {
    const Tensor& parameter = average_.parameters_[i].tensor;
    trained_.push_back(parameter.detach().clone());
    copy_(parameter, average_.averages_[i]);
  }
}

MovingAverage::Scope::~Scope() {
  NoGrad off;
  for (size_t i = 0; i < trained_.size(); ++i) copy_(average_.parameters_[i].tensor, trained_[i]);
}

}  // namespace strata
