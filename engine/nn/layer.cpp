#include "engine/nn/layer.h"

#include <algorithm>

#include "engine/autograd/autograd.h"

namespace strata {

int Layer::register_forward_hook(Hook hook) {
  int handle = hooks_.empty() ? 0 : hooks_.back().first + 1;
  hooks_.emplace_back(handle, std::move(hook));
  return handle;
}

void Layer::remove_forward_hook(int handle) {
  std::erase_if(hooks_, [&](auto& entry) { return entry.first == handle; });
}

Tensor Layer::observed(const Tensor& x, Tensor out) {
  for (auto& [handle, hook] : hooks_) {
    Tensor other = hook(*this, x, out);
    if (other.defined()) out = other;
  }
  if (path().empty() || !ActivationObserver::active()) return out;
  return ActivationObserver::emit(path(), std::move(out));
}

std::string Layer::path_of(const char* name) const {
  return path().empty() ? name : path() + "." + name;
}

Tensor Layer::emit(const char* name, Tensor value) const {
  return ActivationObserver::emit(path_of(name), std::move(value));
}

void Layer::explain(const Error& error) const {
  // Only the innermost layer adds itself.
  if (dynamic_cast<const LayerError*>(&error)) throw;
  throw LayerError(fmt::format("{}, in {} '{}'", error.what(), kind(), path()));
}

std::vector<std::string> named_activations(Layer& model, const Tensor& x) {
  std::vector<std::string> names;
  ActivationObserver observer([&](const std::string& name, const Tensor&) {
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    return Tensor();
  });
  NoGrad off;
  model(x);
  return names;
}

}  // namespace strata
