// L-BFGS (Liu and Nocedal 1989, "On the limited memory BFGS method for large scale optimization")
// that is told values instead of calling a function, so that several minimisations run in step and
// share the products that evaluate them.
//
//   Lbfgs search(start, metric);
//   while (!search.stalled() && search.gradient_norm() > tolerance)
//     search.tell(f(search.trial()), gradient(search.trial()));
//
// A step is taken if the value falls enough (Armijo), or, where rounding hides the fall, if it
// stays within 1e-6 and the slope says so (Hager and Zhang 2005, the approximate Wolfe condition);
// else it is shortened by quadratic interpolation. Two vectors a step are kept, `memory` steps, in
// f64.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <vector>

namespace strata::introspect {

class Lbfgs {
 public:
  using Vector = std::vector<double>;
  // First guess of the inverse Hessian, applied to a vector: symmetric and positive definite.
  using Metric = std::function<Vector(const Vector&)>;

  explicit Lbfgs(Vector start, Metric metric = {}, int memory = 10);

  // Where value and gradient are wanted next.
  const Vector& trial() const { return trial_; }
  void tell(double value, Vector gradient);

  // The best point so far; infinite value and gradient before the first tell().
  const Vector& point() const { return point_; }
  double value() const { return value_; }
  double gradient_norm() const { return gradient_norm_; }  // Euclidean
  int steps() const { return steps_; }
  // Rounding has the last word: no step along the last direction was better, or 50 steps have
  // brought neither a smaller gradient nor a value smaller by 1e-9 of itself.
  bool stalled() const { return stalled_; }

 private:
  struct Pair {
    Vector step, change;  // of the point and of the gradient
    double product;       // their inner product, positive
  };
  bool good_enough(double value, double slope) const;
  void shorten(double value);
  void accept(double value, Vector gradient);
  Vector direction() const;
  void aim();

  Metric metric_;
  size_t memory_;
  std::deque<Pair> pairs_;
  Vector point_, trial_, gradient_, direction_;
  double value_ = std::numeric_limits<double>::infinity(), gradient_norm_ = value_;
  double length_ = 0, slope_ = 0, scale_ = 1;
  double least_value_ = value_, least_gradient_ = value_;
  int steps_ = -1, refusals_ = 0, idle_ = 0;
  bool stalled_ = false;
};

}  // namespace strata::introspect
