// Which training examples a prediction is owed to. Results are f64 [tests, examples]; positive: the
// example lowered the test's loss ("proponent"), so that without it the loss would be higher.
//
// TracIn (Pruthi et al. 2020, "Estimating training data influence by tracing gradient descent"):
// the first-order part that an example had in the fall of the test's loss, summed over checkpoints:
//   sum_k eta_k <grad loss(test, w_k), grad loss(example, w_k)>
// Influence functions (Koh and Liang 2017): what removing an example does to the optimum, to first
// order in 1 / N:
//   (1 / N) <grad loss(test), (H + damping)^-1 grad loss(example)>
#pragma once

#include "tools/introspect/curvature/krylov.h"
#include "tools/introspect/curvature/objective.h"

namespace strata::introspect {

// Losses of single examples, 0..count-1.
struct Examples {
  ExampleLoss loss;
  int64_t count = 0;
};

struct TrainingCheckpoint {
  std::vector<Tensor> values;  // of the parameters, in their order
  double learning_rate = 0;    // times the steps that the checkpoint stands for, over the batch
};
// TracInCP. An evaluation of every gradient at each checkpoint; keeps the tests' gradients.
Tensor tracin(const Examples& examples, const Examples& tests,
              const std::vector<Tensor>& parameters,
              const std::vector<TrainingCheckpoint>& checkpoints);

// A run of plain SGD, w <- w - eta / |batch| sum of the batch's gradients, kept so that it can be
// run again to the same bits.
struct TrainingRun {
  std::vector<Tensor> start;                  // values of the parameters
  std::vector<std::vector<int64_t>> batches;  // the examples of each step
  std::vector<double> learning_rates;         // of each step
};
// The parameters [P] at the end of the run; with `without`, of the run in which that example's
// gradient is left out (and the divisor kept): the ground truth that influence estimates.
Tensor replay(const TrainingRun& run, const ExampleLoss& loss,
              const std::vector<Tensor>& parameters, int64_t without = -1);
// TracIn over every step of the run, with the test's gradient averaged along the step
// (Gauss-Legendre, 3 nodes) in the place of that at its start: a row sums to exactly the fall of
// that test's loss over the run (for losses that are polynomials of degree 6 along a step; to
// O(step^7) for smooth ones). Three gradients a test and one an example at each step.
Tensor tracin_by_replay(const TrainingRun& run, const Examples& examples, const Examples& tests,
                        const std::vector<Tensor>& parameters);

// `curvature` is that of the training objective at its minimum, the mean of the examples' losses
// (plus what regularises): hessian(objective), or fisher() where it is not positive. One solution
// by conjugate gradients a test, one gradient an example.
Tensor influence(const LinearMap& curvature, const Examples& examples, const Examples& tests,
                 const std::vector<Tensor>& parameters, const SolveOptions& options = {});
// What one Newton step on the objective without an example changes in the parameters [P]:
//   -(H - H_i / N + damping)^-1 (G - g_i / N)
// The objective is the mean over `examples` (plus what regularises). Exact where it is quadratic.
Tensor removal_step(const Objective& objective, const Examples& examples, int64_t example,
                    const SolveOptions& options = {});

}  // namespace strata::introspect
