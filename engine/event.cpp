#include "engine/event.h"

#include <algorithm>
#include <utility>

namespace strata {
namespace {

// Nothing is observed while a callback runs, so that it may use ops and modules itself.
template <class Observer>
class Quiet {
 public:
  explicit Quiet(Observer*& newest) : newest_(newest), kept_(std::exchange(newest, nullptr)) {}
  ~Quiet() { newest_ = kept_; }
  Observer* newest() const { return kept_; }

 private:
  Observer*& newest_;
  Observer* kept_;
};

}  // namespace

OpObserver::OpObserver(std::function<void(const OpEvent&)> callback)
    : callback_(std::move(callback)), older_(newest_) {
  newest_ = this;
}
OpObserver::~OpObserver() { newest_ = older_; }

void OpObserver::emit(const OpEvent& event) {
  Quiet quiet(newest_);
  for (OpObserver* o = quiet.newest(); o; o = o->older_) o->callback_(event);
}

ActivationObserver::ActivationObserver(Callback callback, std::vector<std::string> names)
    : callback_(std::move(callback)), names_(std::move(names)), older_(newest_) {
  newest_ = this;
}
ActivationObserver::~ActivationObserver() { newest_ = older_; }

bool ActivationObserver::lists(const std::string& name) const {
  return std::find(names_.begin(), names_.end(), name) != names_.end();
}

bool ActivationObserver::asked(const std::string& name) {
  for (ActivationObserver* o = newest_; o; o = o->older_) {
    if (o->lists(name)) return true;
  }
  return false;
}

Tensor ActivationObserver::emit(const std::string& name, Tensor value) {
  Quiet quiet(newest_);
  for (ActivationObserver* o = quiet.newest(); o; o = o->older_) {
    if (!o->names_.empty() && !o->lists(name)) continue;
    Tensor other = o->callback_(name, value);
    if (other.defined()) value = other;
  }
  return value;
}

}  // namespace strata
