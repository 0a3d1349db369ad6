// Exponential moving average of a model's parameters (Polyak and Juditsky 1992): smoother weights
// to evaluate with.
//   MovingAverage average(model, 0.999);
//   ... optimizer.step(); average.update();
//   { MovingAverage::Scope averaged(average); evaluate(model); }  // then the trained ones again
#pragma once

#include "engine/nn/module.h"

namespace strata {

class MovingAverage {
 public:
  // Starts at the model's present parameters. Averages are f32 (f64 for f64 parameters).
  explicit MovingAverage(Module& model, double decay = 0.999);
  // average = decay average + (1 - decay) parameter, in one fused pass.
  void update(Caller at = Caller::here());
  double decay() const { return decay_; }

  // By the names of the parameters.
  StateDict state_dict() const;
  std::vector<std::string> differences(const StateDict& state) const;
  void load_state_dict(const StateDict& state, Caller at = Caller::here());

  // While it lives, the model has the averages for parameters. Buffers stay the trained ones.
  class Scope {
   public:
    explicit Scope(MovingAverage& average);
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    MovingAverage& average_;
    std::vector<Tensor> trained_;
  };

 private:
  std::vector<NamedTensor> parameters_;
  std::vector<Tensor> averages_;
  double decay_;
};

}  // namespace strata
