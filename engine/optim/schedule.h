// Learning-rate schedules. A Schedule is a function from the step (0, 1, 2, ...) to the factor that
// multiplies each group's initial learning rate; it has no state, so schedules compose, and what a
// checkpoint keeps is one integer.
//   Scheduler scheduler(optimizer, warm_up(500, cosine(10000)));
//   for (...) { optimizer.step(); scheduler.step(); }
#pragma once

#include <functional>
#include <vector>

#include "engine/optim/optimizer.h"

namespace strata {

using Schedule = std::function<double(int64_t step)>;

Schedule constant_schedule(double factor = 1);
// factor^floor(step / every).
Schedule step_decay(int64_t every, double factor = 0.1);
// factor^(number of milestones reached).
Schedule milestones(std::vector<int64_t> steps, double factor = 0.1);
// From 1 at step 0 to `floor` at step `total` and after, along half a cosine (Loshchilov and Hutter
// 2017, equation 5, without restarts).
Schedule cosine(int64_t total, double floor = 0);
// From `start` to 1 in a straight line over `steps`, then `then`, which begins at its own step 0.
Schedule warm_up(int64_t steps, Schedule then, double start = 0);
Schedule linear_decay(int64_t total, double floor = 0);
// Smith and Topin 2018 as PyTorch has it, with cosines: from 1 / divisor up to 1 over the first
// `rise` of the steps, then down to 1 / (divisor * final_divisor) at step total - 1.
Schedule one_cycle(int64_t total, double rise = 0.3, double divisor = 25,
                   double final_divisor = 1e4);

// Sets the learning rates of an optimizer by a schedule, from the moment it is made.
class Scheduler {
 public:
  Scheduler(Optimizer& optimizer, Schedule schedule);
  // After each update.
  void step() { set_step(step_ + 1); }
  int64_t current_step() const { return step_; }
  // For resuming.
  void set_step(int64_t step);

 private:
  Optimizer& optimizer_;
  Schedule schedule_;
  int64_t step_ = 0;
};

}  // namespace strata
