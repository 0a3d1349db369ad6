#include "engine/event.h"

namespace strata {

OpObserver::OpObserver(std::function<void(const OpEvent&)> callback)
    : callback_(std::move(callback)), older_(newest_) {
  newest_ = this;
}
OpObserver::~OpObserver() { newest_ = older_; }

void OpObserver::emit(const OpEvent& event) {
  for (OpObserver* o = newest_; o; o = o->older_) o->callback_(event);
}

ActivationObserver::ActivationObserver(Callback callback)
    : callback_(std::move(callback)), older_(newest_) {
  newest_ = this;
}
ActivationObserver::~ActivationObserver() { newest_ = older_; }

Tensor ActivationObserver::emit(const std::string& name, Tensor value) {
  for (ActivationObserver* o = newest_; o; o = o->older_) {
    Tensor other = o->callback_(name, value);
    if (other.defined()) value = other;
  }
  return value;
}

}  // namespace strata
