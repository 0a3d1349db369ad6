#include "engine/optim/clip.h"

#include <cmath>

#include "engine/autograd/autograd.h"
#include "engine/ops/view.h"
#include "kernels/optim/optim.h"

namespace strata {
namespace {

// Gradients as the kernels take them, each contiguous and the only owner of its memory: the same
// tensor may have arrived at several parameters, or be a view or a broadcast, and must not be
// scaled twice.
std::vector<cpu::OptimTensor> own_gradients(const char* op, const std::vector<Tensor>& parameters,
                                            Device* device, Caller at) {
  std::vector<cpu::OptimTensor> list;
  for (const Tensor& parameter : parameters) {
    if (!parameter.defined() || !parameter.grad().defined()) continue;
    Tensor gradient = parameter.grad();
    bool alone = gradient.is_contiguous() && gradient.get()->references == 2 &&  // node and here
                 gradient.storage()->references == 1;
    if (!alone) {
      gradient = gradient.clone();
      const_cast<Tensor&>(parameter).set_grad(gradient);
    }
    if (!list.empty() && gradient.device() != *device) {
      fail(op, at, "the gradients lie on {} and on {}; they must be on one device",
           name_of(*device), name_of(gradient.device()));
    }
    *device = gradient.device();
    list.push_back({gradient.raw(), gradient.raw(), {}, gradient.numel(), gradient.dtype()});
  }
  return list;
}

void note_written(const std::vector<Tensor>& parameters, const char* op, Caller at) {
  for (const Tensor& parameter : parameters) {
    if (parameter.defined() && parameter.grad().defined()) note_write(parameter.grad(), op, at);
  }
}

}  // namespace

double clip_grad_norm(const std::vector<Tensor>& parameters, double max_norm, Caller at) {
  NoGrad off;
  if (!(max_norm > 0)) fail("clip_grad_norm", at, "max_norm must be above 0; got {}", max_norm);
  Device device = Device::cpu;
  const auto gradients = own_gradients("clip_grad_norm", parameters, &device, at);
  const std::span<const cpu::OptimTensor> all = gradients;
  double norm = std::sqrt(
      on(device, "clip_grad_norm", at, cpu::gradient_square_sum, gpu::gradient_square_sum, all));
  double factor = max_norm / (norm + 1e-6);
  if (std::isfinite(norm) && factor < 1) {
    on(device, "clip_grad_norm", at, cpu::scale, gpu::scale, all, factor);
    note_written(parameters, "clip_grad_norm", at);
  }
  return norm;
}

void clip_grad_value(const std::vector<Tensor>& parameters, double bound, Caller at) {
  NoGrad off;
  if (!(bound > 0)) fail("clip_grad_value", at, "bound must be above 0; got {}", bound);
  Device device = Device::cpu;
  const auto gradients = own_gradients("clip_grad_value", parameters, &device, at);
  on(device, "clip_grad_value", at, cpu::clamp, gpu::clamp,
     std::span<const cpu::OptimTensor>(gradients), bound);
  note_written(parameters, "clip_grad_value", at);
}

}  // namespace strata
