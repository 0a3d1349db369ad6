#include "engine/event.h"

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

ActivationObserver::ActivationObserver(Callback callback)
    : callback_(std::move(callback)), older_(newest_) {
  newest_ = this;
}
ActivationObserver::~ActivationObserver() { newest_ = older_; }

Tensor ActivationObserver::emit(const std::string& name, Tensor value) {
  Quiet quiet(newest_);
  for (ActivationObserver* o = quiet.newest(); o; o = o->older_) {
    Tensor other = o->callback_(name, value);
    if (other.defined()) value = other;
  }
  return value;
}

}  // namespace strata
