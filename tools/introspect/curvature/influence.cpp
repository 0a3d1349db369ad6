#include "tools/introspect/curvature/influence.h"

#include <cmath>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "tools/introspect/curvature/hessian.h"
#include "tools/introspect/curvature/per_example.h"

namespace strata::introspect {
namespace {

// factor <tests[t], g> added to column `example` of [tests, examples].
void add_products(const Tensor& influence, const Tensor& tests, const Tensor& g, int64_t example,
                  double factor) {
  Tensor column = influence.select(1, example);
  add_(column, matmul(tests, g).to(DType::f64), factor);
}

Tensor example_gradient(const ExampleLoss& loss, const std::vector<Tensor>& parameters,
                        int64_t example) {
  EnableGrad on;
  return flat_gradient(loss(example), parameters);
}

void check_run(const TrainingRun& run) {
  if (run.batches.size() != run.learning_rates.size()) {
    fail("replay", Caller{}, "{} batches but {} learning rates", run.batches.size(),
         run.learning_rates.size());
  }
}

// The change [P] that one example of a batch makes in a step.
Tensor share_of_step(const TrainingRun& run, size_t step, const Tensor& example_gradient) {
  double count = static_cast<double>(run.batches[step].size());
  return example_gradient * (-run.learning_rates[step] / count);
}

// Gradients of the tests [tests, P] averaged over the segment from `start` to `start` + `change`.
Tensor average_gradients(const Examples& tests, const std::vector<Tensor>& parameters,
                         const Tensor& start, const Tensor& change) {
  double offset = std::sqrt(0.15);
  Tensor average;
  for (auto [at, weight] :
       {std::pair{0.5 - offset, 5.0 / 18}, {0.5, 8.0 / 18}, {0.5 + offset, 5.0 / 18}}) {
    assign(parameters, start + at * change);
    Tensor part = per_example_gradients(tests.loss, parameters, tests.count) * weight;
    average = average.defined() ? average + part : part;
  }
  return average;
}

}  // namespace

Tensor tracin(const Examples& examples, const Examples& tests,
              const std::vector<Tensor>& parameters,
              const std::vector<TrainingCheckpoint>& checkpoints) {
  NoGrad off;
  Restore restore(parameters);
  Tensor result = zeros({tests.count, examples.count}, DType::f64);
  for (const TrainingCheckpoint& checkpoint : checkpoints) {
    assign(parameters, checkpoint.values);
    Tensor test_gradients = per_example_gradients(tests.loss, parameters, tests.count);
    for (int64_t i = 0; i < examples.count; ++i) {
      add_products(result, test_gradients, example_gradient(examples.loss, parameters, i), i,
                   checkpoint.learning_rate);
    }
  }
  return result;
}

Tensor replay(const TrainingRun& run, const ExampleLoss& loss,
              const std::vector<Tensor>& parameters, int64_t without) {
  NoGrad off;
  check_run(run);
  Restore restore(parameters);
  Tensor w = flatten_all(run.start);
  for (size_t step = 0; step < run.batches.size(); ++step) {
    assign(parameters, w);
    for (int64_t i : run.batches[step]) {
      if (i == without) continue;
      w = w + share_of_step(run, step, example_gradient(loss, parameters, i));
    }
  }
  return w;
}

Tensor tracin_by_replay(const TrainingRun& run, const Examples& examples, const Examples& tests,
                        const std::vector<Tensor>& parameters) {
  NoGrad off;
  check_run(run);
  Restore restore(parameters);
  Tensor result = zeros({tests.count, examples.count}, DType::f64);
  Tensor w = flatten_all(run.start);
  for (size_t step = 0; step < run.batches.size(); ++step) {
    const auto& batch = run.batches[step];
    assign(parameters, w);
    Tensor change = zeros_like(w);
    std::vector<Tensor> shares;
    for (int64_t i : batch) {
      shares.push_back(share_of_step(run, step, example_gradient(examples.loss, parameters, i)));
      change = change + shares.back();
    }
    Tensor averages = average_gradients(tests, parameters, w, change);
    for (size_t i = 0; i < batch.size(); ++i) {
      add_products(result, averages, shares[i], batch[i], -1);
    }
    w = w + change;
  }
  return result;
}

Tensor influence(const LinearMap& curvature, const Examples& examples, const Examples& tests,
                 const std::vector<Tensor>& parameters, const SolveOptions& options) {
  NoGrad off;
  Tensor directions = per_example_gradients(tests.loss, parameters, tests.count);
  for (int64_t t = 0; t < tests.count; ++t) {
    Tensor row = directions.select(0, t);
    copy_(row, solve(curvature, row.clone(), options).x);
  }
  Tensor result = zeros({tests.count, examples.count}, DType::f64);
  for (int64_t i = 0; i < examples.count; ++i) {
    add_products(result, directions, example_gradient(examples.loss, parameters, i), i,
                 1 / static_cast<double>(examples.count));
  }
  return result;
}

Tensor removal_step(const Objective& objective, const Examples& examples, int64_t example,
                    const SolveOptions& options) {
  if (example < 0 || example >= examples.count) {
    fail("removal_step", Caller{}, "example {} of {}", example, examples.count);
  }
  NoGrad off;
  double share = 1 / static_cast<double>(examples.count);
  Objective alone{[&] { return examples.loss(example); }, objective.parameters, objective.buffers};
  LinearMap whole = hessian(objective), part = hessian(alone);
  LinearMap rest{whole.size, whole.dtype,
                 [&](const Tensor& v) { return whole(v) - share * part(v); }};
  Tensor downhill = share * gradient(alone) - gradient(objective);
  return solve(rest, downhill, options).x;
}

}  // namespace strata::introspect
