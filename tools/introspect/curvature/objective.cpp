#include "tools/introspect/curvature/objective.h"

#include "engine/autograd/autograd.h"
#include "engine/ops.h"

namespace strata::introspect {
namespace {

std::vector<Tensor> joined(std::vector<Tensor> a, const std::vector<Tensor>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

}  // namespace

Objective objective_of(Module& module, std::function<Tensor()> loss) {
  Objective objective{std::move(loss), {}};
  for (const Tensor& parameter : module.parameters()) {
    if (parameter.requires_grad()) objective.parameters.push_back(parameter);
  }
  for (const NamedTensor& buffer : module.named_buffers()) {
    objective.buffers.push_back(buffer.tensor);
  }
  return objective;
}

Restore::Restore(std::vector<Tensor> tensors) : tensors_(std::move(tensors)) {
  NoGrad off;
  for (const Tensor& tensor : tensors_) {
    values_.push_back(tensor.detach().clone());
    versions_.push_back(tensor.storage()->version);
  }
}

Restore::Restore(const Objective& objective)
    : Restore(joined(objective.parameters, objective.buffers)) {}

Restore::~Restore() { now(); }

void Restore::now() {
  NoGrad off;
  for (size_t i = 0; i < tensors_.size(); ++i) {
    if (tensors_[i].storage()->version == versions_[i]) continue;
    copy_(tensors_[i], values_[i]);
    versions_[i] = tensors_[i].storage()->version;
  }
}

int64_t element_count(const std::vector<Tensor>& tensors) {
  int64_t count = 0;
  for (const Tensor& tensor : tensors) count += tensor.numel();
  return count;
}

Tensor flatten_all(const std::vector<Tensor>& tensors) {
  NoGrad off;
  if (tensors.empty()) fail("flatten_all", Caller{}, "there are no parameters");
  std::vector<Tensor> parts;
  for (const Tensor& tensor : tensors) {
    if (tensor.dtype() != tensors[0].dtype()) {
      fail("flatten_all", Caller{}, "parameters of one type are expected, not {} and {}",
           describe(tensors[0]), describe(tensor));
    }
    parts.push_back(tensor.detach().reshape({tensor.numel()}));
  }
  return concatenate(parts);
}

std::vector<Tensor> unflatten(const Tensor& flat, const std::vector<Tensor>& like) {
  if (flat.rank() != 1 || flat.numel() != element_count(like)) {
    fail("unflatten", Caller{}, "{} does not hold the {} elements of {} parameters as one vector",
         describe(flat), element_count(like), like.size());
  }
  std::vector<Tensor> parts;
  int64_t begin = 0;
  for (const Tensor& tensor : like) {
    int64_t end = begin + tensor.numel();
    parts.push_back(flat.slice(0, begin, end).reshape(tensor.shape()));
    begin = end;
  }
  return parts;
}

void assign(const std::vector<Tensor>& parameters, const Tensor& flat) {
  assign(parameters, unflatten(flat.detach(), parameters));
}

void assign(const std::vector<Tensor>& parameters, const std::vector<Tensor>& values) {
  NoGrad off;
  if (values.size() != parameters.size()) {
    fail("assign", Caller{}, "{} values for {} parameters", values.size(), parameters.size());
  }
  for (size_t i = 0; i < parameters.size(); ++i) copy_(parameters[i], values[i].detach());
}

double loss_value(const Objective& objective) {
  NoGrad off;
  Restore restore(objective.buffers);
  return objective.loss().item();
}

Tensor gradient(const Objective& objective) {
  EnableGrad on;
  Restore restore(objective.buffers);
  return flat_gradient(objective.loss(), objective.parameters);
}

Tensor flat_gradient(const Tensor& loss, const std::vector<Tensor>& parameters, bool retain_graph) {
  auto parts = grad(std::vector<Tensor>{loss}, parameters, {},
                    {.retain_graph = retain_graph, .allow_unused = true});
  for (size_t i = 0; i < parts.size(); ++i) {
    if (!parts[i].defined()) parts[i] = zeros_like(parameters[i]);
  }
  return flatten_all(parts);
}

}  // namespace strata::introspect
