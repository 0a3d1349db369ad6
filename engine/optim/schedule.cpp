#include "engine/optim/schedule.h"

#include <algorithm>
#include <cmath>

namespace strata {
namespace {

void check_positive(const char* schedule, const char* what, int64_t value) {
  if (value < 1) fail(schedule, Caller{}, "{} must be at least 1; got {}", what, value);
}

// Half a cosine from `a` at fraction 0 to `b` at fraction 1.
double anneal(double a, double b, double fraction) {
  return b + (a - b) / 2 * (1 + std::cos(M_PI * std::clamp(fraction, 0.0, 1.0)));
}

}  // namespace

Schedule constant_schedule(double factor) {
  return [=](int64_t) { return factor; };
}

Schedule step_decay(int64_t every, double factor) {
  check_positive("step_decay", "every", every);
  return [=](int64_t step) { return std::pow(factor, static_cast<double>(step / every)); };
}

Schedule milestones(std::vector<int64_t> steps, double factor) {
  return [steps = std::move(steps), factor](int64_t step) {
    auto reached = std::count_if(steps.begin(), steps.end(), [&](int64_t m) { return step >= m; });
    return std::pow(factor, static_cast<double>(reached));
  };
}

Schedule cosine(int64_t total, double floor) {
  check_positive("cosine", "total", total);
  return [=](int64_t step) {
    return anneal(1, floor, static_cast<double>(step) / static_cast<double>(total));
  };
}

Schedule warm_up(int64_t steps, Schedule then, double start) {
  return [=, then = std::move(then)](int64_t step) {
    if (step >= steps) return then(step - steps);
    return start + (1 - start) * static_cast<double>(step) / static_cast<double>(steps);
  };
}

Schedule linear_decay(int64_t total, double floor) {
  check_positive("linear_decay", "total", total);
  return [=](int64_t step) {
    double fraction = std::min(1.0, static_cast<double>(step) / static_cast<double>(total));
    return 1 + (floor - 1) * fraction;
  };
}

Schedule one_cycle(int64_t total, double rise, double divisor, double final_divisor) {
  check_positive("one_cycle", "total", total);
  if (!(rise > 0 && rise < 1)) {
    fail("one_cycle", Caller{}, "rise is a fraction of the steps, between 0 and 1; got {}", rise);
  }
  return [=](int64_t step) {
    double top = rise * static_cast<double>(total) - 1, last = static_cast<double>(total - 1);
    double t = static_cast<double>(step), low = 1 / divisor;
    if (t <= top) return anneal(low, 1, t / top);
    return anneal(1, low / final_divisor, last > top ? (t - top) / (last - top) : 1);
  };
}

Scheduler::Scheduler(Optimizer& optimizer, Schedule schedule)
    : optimizer_(optimizer), schedule_(std::move(schedule)) {
  set_step(0);
}

void Scheduler::set_step(int64_t step) {
  step_ = step;
  double factor = schedule_(step);
  for (ParameterGroup& group : optimizer_.groups()) {
    group.learning_rate = group.initial_learning_rate * factor;
  }
}

}  // namespace strata
