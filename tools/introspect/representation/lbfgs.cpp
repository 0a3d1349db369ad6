#include "tools/introspect/representation/lbfgs.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace strata::introspect {
namespace {

using Vector = Lbfgs::Vector;

double inner(const Vector& a, const Vector& b) {
  double total = 0;
  for (size_t i = 0; i < a.size(); ++i) total += a[i] * b[i];
  return total;
}

// a + scale b.
Vector along(const Vector& a, double scale, const Vector& b) {
  Vector result(a);
  for (size_t i = 0; i < a.size(); ++i) result[i] += scale * b[i];
  return result;
}

}  // namespace

Lbfgs::Lbfgs(Vector start, Metric metric, int memory)
    : metric_(std::move(metric)), memory_(static_cast<size_t>(memory)), trial_(std::move(start)) {
  if (!metric_) metric_ = [](const Vector& v) { return v; };
  point_ = trial_;
}

void Lbfgs::tell(double value, Vector gradient) {
  if (steps_ < 0 || good_enough(value, inner(gradient, direction_))) {
    accept(value, std::move(gradient));
  } else {
    shorten(value);
  }
}

bool Lbfgs::good_enough(double value, double slope) const {
  if (!std::isfinite(value)) return false;
  if (value <= value_ + 1e-4 * length_ * slope_) return true;
  return value <= value_ + 1e-6 * std::abs(value_) && slope <= -0.8 * slope_;
}

void Lbfgs::shorten(double value) {
  if (++refusals_ > 30) {
    stalled_ = true;
    return;
  }
  double curvature = 2 * (value - value_ - slope_ * length_) / (length_ * length_);
  double minimum = -slope_ / curvature;
  bool usable = std::isfinite(minimum) && minimum > 0;
  length_ = usable ? std::clamp(minimum, 0.1 * length_, 0.5 * length_) : 0.1 * length_;
  trial_ = along(point_, length_, direction_);
}

void Lbfgs::accept(double value, Vector gradient) {
  if (steps_ >= 0) {
    Pair pair{along(trial_, -1, point_), along(gradient, -1, gradient_), 0};
    pair.product = inner(pair.step, pair.change);
    double floor = 1e-12 * std::sqrt(inner(pair.step, pair.step) * inner(pair.change, pair.change));
    if (pair.product > floor) {
      scale_ = pair.product / inner(pair.change, metric_(pair.change));
      pairs_.push_back(std::move(pair));
      if (pairs_.size() > memory_) pairs_.pop_front();
    }
  }
  point_ = trial_;
  value_ = value;
  gradient_ = std::move(gradient);
  gradient_norm_ = std::sqrt(inner(gradient_, gradient_));
  ++steps_;
  refusals_ = 0;
  bool better =
      gradient_norm_ < least_gradient_ || value_ < least_value_ - 1e-9 * std::abs(least_value_);
  least_gradient_ = std::min(least_gradient_, gradient_norm_);
  if (better) least_value_ = std::min(least_value_, value_);
  idle_ = better ? 0 : idle_ + 1;
  if (idle_ >= 50) stalled_ = true;
  aim();
}

// Minus the inverse Hessian times the gradient, by the two loops over the pairs.
Vector Lbfgs::direction() const {
  Vector q = gradient_;
  Vector weights(pairs_.size());
  for (size_t i = pairs_.size(); i-- > 0;) {
    weights[i] = inner(pairs_[i].step, q) / pairs_[i].product;
    q = along(q, -weights[i], pairs_[i].change);
  }
  q = metric_(q);
  for (double& v : q) v *= scale_;
  for (size_t i = 0; i < pairs_.size(); ++i) {
    double back = inner(pairs_[i].change, q) / pairs_[i].product;
    q = along(q, weights[i] - back, pairs_[i].step);
  }
  for (double& v : q) v = -v;
  return q;
}

void Lbfgs::aim() {
  direction_ = direction();
  slope_ = inner(direction_, gradient_);
  if (!(slope_ < 0) && !pairs_.empty()) {  // rounding spoiled the pairs: start over
    pairs_.clear();
    scale_ = 1;
    direction_ = direction();
    slope_ = inner(direction_, gradient_);
  }
  if (!(slope_ < 0)) stalled_ = true;
  length_ = 1;
  trial_ = along(point_, 1, direction_);
}

}  // namespace strata::introspect
