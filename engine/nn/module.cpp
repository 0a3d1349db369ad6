#include "engine/nn/module.h"

#include <algorithm>
#include <set>

#include "engine/autograd/autograd.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/view.h"

namespace strata {
std::string listed(const std::vector<std::string>& items) {
  constexpr size_t shown = 8;
  std::string text;
  for (size_t i = 0; i < items.size() && i < shown; ++i) text += (i ? ", " : "") + items[i];
  if (items.size() > shown) text += fmt::format(" and {} more", items.size() - shown);
  return text;
}

namespace {

std::string join(const std::string& prefix, const std::string& name) {
  return prefix.empty() ? name : prefix + "." + name;
}

}  // namespace

void Module::visit(const std::string& prefix, const Visit& f) const {
  f(prefix, *this);
  for (auto& [name, child] : children_) child->visit(join(prefix, name), f);
}

std::vector<NamedTensor> Module::named_parameters() const {
  std::vector<NamedTensor> named;
  std::set<const TensorData*> seen;
  visit("", [&](const std::string& prefix, const Module& module) {
    for (auto& [name, tensor] : module.parameters_) {
      if (seen.insert(tensor.get()).second) named.push_back({join(prefix, name), tensor});
    }
  });
  return named;
}

std::vector<Tensor> Module::parameters() const {
  std::vector<Tensor> tensors;
  for (auto& named : named_parameters()) tensors.push_back(named.tensor);
  return tensors;
}

std::vector<NamedTensor> Module::named_buffers() const {
  std::vector<NamedTensor> named;
  std::set<const TensorData*> seen;
  visit("", [&](const std::string& prefix, const Module& module) {
    for (auto& [name, tensor] : module.buffers_) {
      if (seen.insert(tensor.get()).second) named.push_back({join(prefix, name), tensor});
    }
  });
  return named;
}

std::vector<std::pair<std::string, Module*>> Module::named_modules() {
  std::vector<std::pair<std::string, Module*>> named;
  visit("", [&](const std::string& prefix, const Module& module) {
    named.emplace_back(prefix, const_cast<Module*>(&module));
  });
  return named;
}

Module& Module::find(const std::string& path, Caller at) {
  std::vector<std::string> names;
  for (auto& [name, module] : named_modules()) {
    if (name == path) return *module;
    if (!name.empty()) names.push_back(name);
  }
  fail("find", at, "no module '{}' below {}; there are {}", path, kind(), listed(names));
}

int64_t Module::parameter_count() const {
  int64_t count = 0;
  for (auto& [name, tensor] : named_parameters()) count += tensor.numel();
  return count;
}

Module& Module::train(bool training) {
  training_ = training;
  for (auto& [name, child] : children_) child->train(training);
  mode_changed();
  return *this;
}

Module& Module::to(DType dtype, Caller at) {
  if (!is_float(dtype)) {
    fail("to", at, "parameters are floating-point numbers and cannot become {}", name_of(dtype));
  }
  NoGrad off;
  for (auto& [name, tensor] : named_parameters()) {
    if (tensor.dtype() != dtype) rebind(tensor, tensor.to(dtype, at));
  }
  return *this;
}

Module& Module::to(Device device, Caller at) {
  NoGrad off;
  for (auto& [name, tensor] : named_parameters()) {
    if (tensor.device() != device) rebind(tensor, tensor.to(device, at));
  }
  for (auto& [name, tensor] : named_buffers()) {
    if (tensor.device() != device) rebind(tensor, tensor.to(device, at));
  }
  return *this;
}

void Module::zero_grad() {
  for (Tensor& tensor : parameters()) tensor.zero_grad();
}

Module& Module::set_trainable(bool trainable) {
  for (Tensor& tensor : parameters()) tensor.set_requires_grad(trainable);
  return *this;
}

StateDict Module::state_dict() const {
  StateDict state;
  for (auto& [name, tensor] : named_parameters()) state.emplace(name, tensor.detach());
  for (auto& [name, tensor] : named_buffers()) state.emplace(name, tensor.detach());
  return state;
}

std::vector<std::string> Module::differences(const StateDict& state, bool strict) const {
  std::vector<std::string> lines;
  const StateDict own = state_dict();
  for (auto& [name, tensor] : own) {
    auto found = state.find(name);
    if (found == state.end()) {
      if (strict) lines.push_back(fmt::format("'{}' ({}) is missing", name, describe(tensor)));
    } else if (found->second.shape() != tensor.shape()) {
      lines.push_back(
          fmt::format("'{}' is {}, here {}", name, describe(found->second), describe(tensor)));
    }
  }
  for (auto& [name, tensor] : state) {
    if (strict && !own.contains(name)) {
      lines.push_back(fmt::format("'{}' ({}) is unknown here", name, describe(tensor)));
    }
  }
  return lines;
}

LoadReport Module::load_state_dict(const StateDict& state, bool strict, Caller at) {
  std::vector<std::string> wrong = differences(state, strict);
  if (!wrong.empty()) {
    fail("load_state_dict", at, "the state dict does not fit {}: {}", kind(), listed(wrong));
  }
  LoadReport report;
  NoGrad off;
  const StateDict own = state_dict();
  for (auto& [name, tensor] : own) {
    if (auto found = state.find(name); found != state.end()) {
      copy_(tensor, found->second, at);
    } else {
      report.missing.push_back(name);
    }
  }
  for (auto& [name, tensor] : state) {
    if (!own.contains(name)) report.unexpected.push_back(name);
  }
  return report;
}

void Module::check_name(const std::string& name) const {
  bool taken = name.empty() || name.find('.') != name.npos;
  for (auto& entry : parameters_) taken |= entry.name == name;
  for (auto& entry : buffers_) taken |= entry.name == name;
  for (auto& entry : children_) taken |= entry.first == name;
  if (taken) {
    fail("Module", Caller{},
         "'{}' cannot be a name in {}: names are not empty, hold no dot and are used once", name,
         kind());
  }
}

void Module::add_child(const std::string& name, std::shared_ptr<Module> child) {
  check_name(name);
  child->set_path(join(path_, name));
  children_.emplace_back(name, std::move(child));
}

Tensor Module::add_parameter(const std::string& name, Tensor tensor) {
  check_name(name);
  tensor.set_requires_grad();
  parameters_.push_back({name, tensor});
  return tensor;
}

Tensor Module::add_buffer(const std::string& name, Tensor tensor) {
  check_name(name);
  buffers_.push_back({name, tensor});
  return tensor;
}

void Module::remove_parameter(const std::string& name) {
  std::erase_if(parameters_, [&](const NamedTensor& entry) { return entry.name == name; });
}

void Module::set_path(const std::string& path) {
  path_ = path;
  for (auto& [name, child] : children_) child->set_path(join(path, name));
}

std::string to_string(const Module& module) {
  std::string text = fmt::format("{}: {} parameters\n", module.kind(), module.parameter_count());
  for (auto& [path, child] : const_cast<Module&>(module).named_modules()) {
    if (path.empty()) continue;
    auto depth = static_cast<size_t>(std::count(path.begin(), path.end(), '.')) + 1;
    text += fmt::format("{}{}: {}", std::string(2 * depth, ' '), path.substr(path.rfind('.') + 1),
                        child->kind());
    if (int64_t count = child->parameter_count()) text += fmt::format(", {} parameters", count);
    text += "\n";
  }
  return text;
}

void rebind(const Tensor& tensor, const Tensor& values) {
  TensorData& data = *tensor.get();
  bool trained = tensor.requires_grad();
  Tensor source = values.contiguous();
  data.storage = source.storage();
  data.shape = source.shape();
  data.strides = source.strides();
  data.offset = source.offset();
  data.numel = source.numel();
  data.dtype = source.dtype();
  data.contiguous = true;
  if (trained) data.node = make_leaf(tensor);
}

}  // namespace strata
