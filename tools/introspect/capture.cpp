#include "tools/introspect/capture.h"

namespace strata::introspect {

Capture::Capture(std::vector<std::string> names)
    : observer_(
          [this](const std::string& name, const Tensor& value) {
            auto& seen = values_[name];
            if (seen.empty()) order_.push_back(name);
            seen.push_back(value);
            return Tensor();
          },
          std::move(names)) {}

const std::vector<Tensor>& Capture::every(const std::string& name) const {
  auto found = values_.find(name);
  if (found == values_.end()) {
    throw Error(fmt::format(
        "[capture] no activation '{}' was seen; seen: {}", name,
        order_.empty() ? "none (was the model run?)" : fmt::format("{}", fmt::join(order_, ", "))));
  }
  return found->second;
}

const Tensor& Capture::operator[](const std::string& name) const { return every(name).back(); }

void Capture::clear() {
  values_.clear();
  order_.clear();
}

}  // namespace strata::introspect
