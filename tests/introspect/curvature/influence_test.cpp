// Influence, against what removing examples really does.
#include "tools/introspect/curvature/influence.h"

#include <gtest/gtest.h>

#include "tests/introspect/curvature/families.h"
#include "tests/support/expect.h"
#include "tools/introspect/curvature/fisher.h"
#include "tools/introspect/curvature/hessian.h"
#include "tools/introspect/curvature/per_example.h"
#include "tools/introspect/linear_algebra.h"

namespace strata::introspect {
namespace {

using namespace test;
using strata::test::values;

constexpr SolveOptions exactly = {.tolerance = 1e-13};

// Ridge regression at its minimum, with the diagonal h of its hat matrix and its residuals e.
struct FittedRidge : Regression {
  Examples examples;
  std::vector<double> h, e;
  FittedRidge() : Regression(15, 4, 0.2) {
    examples = {[r = Regression(*this)](int64_t i) { return r.example(i); }, 15};
    NoGrad off;
    Tensor minimum = solve(hessian(objective()), -gradient(objective()), exactly).x;
    assign({w}, minimum);
    Tensor hat = matmul(matmul(x, inverse(hessian_matrix())), x.transpose(0, 1)) / 15.0;
    for (int64_t i = 0; i < 15; ++i) {
      h.push_back(hat.select(0, i).select(0, i).item());
      e.push_back(y.select(0, i).item() - dot(x.select(0, i), w).item());
    }
  }
};

TEST(Influence, ANewtonStepWithoutAnExampleIsLeaveOneOutExactly) {
  FittedRidge ridge;
  Tensor before = flatten_all({ridge.w});
  for (int64_t i = 0; i < 15; ++i) {
    NoGrad off;
    Tensor without = before + removal_step(ridge.objective(), ridge.examples, i, exactly);
    double residual = (ridge.y.select(0, i) - dot(ridge.x.select(0, i), without)).item();
    auto at = static_cast<size_t>(i);
    EXPECT_NEAR(residual, ridge.e[at] / (1 - ridge.h[at]), 1e-10);
  }
  // From anywhere, not only from the minimum: the objective is quadratic.
  Tensor first = before + removal_step(ridge.objective(), ridge.examples, 3, exactly);
  assign({ridge.w}, random({4}, 90));
  Tensor second =
      flatten_all({ridge.w}) + removal_step(ridge.objective(), ridge.examples, 3, exactly);
  EXPECT_LT(largest_difference(first, second), 1e-10);
  EXPECT_FAILS(removal_step(ridge.objective(), ridge.examples, 15), "example 15 of 15");
}

TEST(Influence, OnRidgeIsTheClosedForm) {
  FittedRidge ridge;
  LinearMap h = hessian(ridge.objective());
  Tensor found = influence(h, ridge.examples, ridge.examples, {ridge.w}, exactly);
  NoGrad off;
  Tensor errors = matmul(ridge.x, ridge.w) - ridge.y;
  Tensor gradients = ridge.x * errors.unsqueeze(1);  // [N, D]
  Tensor closed =
      matmul(matmul(gradients, inverse(ridge.hessian_matrix())), gradients.transpose(0, 1)) / 15.0;
  EXPECT_LT(largest_difference(found, closed), 1e-10);
  for (int64_t i = 0; i < 15; ++i) {  // an example helps itself: h_ii e_i^2
    auto at = static_cast<size_t>(i);
    double own = found.select(0, i).select(0, i).item();
    EXPECT_NEAR(own, ridge.h[at] * ridge.e[at] * ridge.e[at], 1e-10);
  }
}

double correlation(std::vector<double> a, std::vector<double> b) {
  auto centre = [](std::vector<double>& v) {
    double mean = 0;
    for (double x : v) mean += x / static_cast<double>(v.size());
    for (double& x : v) x -= mean;
  };
  centre(a);
  centre(b);
  double ab = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    ab += a[i] * b[i];
    aa += a[i] * a[i];
    bb += b[i] * b[i];
  }
  return ab / std::sqrt(aa * bb);
}

// Regularised softmax regression, retrained to its minimum by Newton steps without one example.
TEST(Influence, PredictsRetrainingWithoutEachExample) {
  int64_t n = 150;
  Tensor x = random({n, 3}, 91), w = zeros({2, 3}, DType::f64);
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < n; ++i) {
    labels.push_back(x.select(0, i).select(0, 0).item() + 0.8 * std::sin(double(7 * i)) > 0);
  }
  Tensor y = from_vector(labels, {n});
  w.set_requires_grad();
  ExampleLoss loss = [=](int64_t i) {
    return cross_entropy(matmul(x.slice(0, i, i + 1), w.transpose(0, 1)), y.slice(0, i, i + 1));
  };
  auto objective_without = [=](int64_t without) {
    return Objective{[=] {
                       Tensor losses = cross_entropy(matmul(x, w.transpose(0, 1)), y,
                                                     {.reduction = Reduction::none});
                       Tensor total = sum(losses);
                       if (without >= 0) total = total - losses.select(0, without);
                       return total / static_cast<double>(n) + sum(w * w) * 0.05;
                     },
                     {w}};
  };
  auto fit = [&](int64_t without) {
    Objective objective = objective_without(without);
    for (int step = 0; step < 12; ++step) {
      Tensor change = solve(hessian(objective), -gradient(objective), exactly).x;
      assign({w}, flatten_all({w}) + change);
    }
    return flatten_all({w});
  };
  Tensor test_x = random({1, 3}, 92);
  Examples tests{[=](int64_t) {
                   return cross_entropy(matmul(test_x, w.transpose(0, 1)),
                                        from_vector(std::vector<int64_t>{1}, {1}));
                 },
                 1};
  Tensor whole = fit(-1);
  double before = tests.loss(0).item();
  std::vector<double> actual;
  for (int64_t i = 0; i < n; ++i) {
    assign({w}, whole);
    fit(i);
    actual.push_back(tests.loss(0).item() - before);
  }
  assign({w}, whole);
  auto predicted =
      values(influence(hessian(objective_without(-1)), {loss, n}, tests, {w}, exactly));
  EXPECT_GT(correlation(predicted, actual), 0.995);
  double scale = 0, error = 0;
  for (size_t i = 0; i < actual.size(); ++i) {
    scale = std::max(scale, std::abs(actual[i]));
    error = std::max(error, std::abs(actual[i] - predicted[i]));
  }
  EXPECT_LT(error, 0.15 * scale);
  // The Fisher matrix of this model is its Hessian but for the regulariser, which damping puts
  // back.
  LinearMap curvature = fisher([=] { return matmul(x, w.transpose(0, 1)); }, {w});
  auto by_fisher =
      values(influence(curvature, {loss, n}, tests, {w}, {.damping = 0.1, .tolerance = 1e-13}));
  for (size_t i = 0; i < actual.size(); ++i) EXPECT_NEAR(by_fisher[i], predicted[i], 1e-9 * scale);
}

// A short run of SGD on one of the families.
struct SmallRun {
  FamilyObjective f;
  Examples examples;
  TrainingRun run;
  SmallRun(size_t index, double rate, int steps)
      : f(family_objectives()[index]), examples{f.example, 4} {
    for (const Tensor& p : f.objective.parameters) {
      NoGrad off;
      run.start.push_back(p.detach().clone());
    }
    for (int64_t step = 0; step < steps; ++step) {
      run.batches.push_back({step % 4, (step + 1) % 4, (3 * step + 2) % 4});
      run.learning_rates.push_back(rate / static_cast<double>(1 + step));
    }
  }
  const std::vector<Tensor>& parameters() const { return f.objective.parameters; }
  std::vector<double> losses_at(const Tensor& w) {
    NoGrad off;
    Restore restore(parameters());
    assign(parameters(), w);
    std::vector<double> losses;
    for (int64_t i = 0; i < 4; ++i) losses.push_back(f.example(i).item());
    return losses;
  }
};

TEST(TracIn, ByReplayAccountsForAllOfTheFallOfTheLossInEveryFamily) {
  const double rates[] = {2e-4, 0.02, 0.02, 2e-4};
  for (size_t index = 0; index < 4; ++index) {
    SmallRun r(index, rates[index], 8);
    Tensor end = replay(r.run, r.f.example, r.parameters());
    auto before = r.losses_at(flatten_all(r.run.start)), after = r.losses_at(end);
    auto rows = values(sum(tracin_by_replay(r.run, r.examples, r.examples, r.parameters()), {1}));
    bool smooth = r.f.name == "recurrent" || r.f.name == "attention";  // no ReLUs
    for (size_t t = 0; t < 4; ++t) {
      double fall = before[t] - after[t];
      EXPECT_GT(std::abs(fall), 1e-4) << r.f.name;
      EXPECT_NEAR(rows[t], fall, (smooth ? 1e-9 : 1e-3) * std::abs(fall)) << r.f.name;
    }
    EXPECT_EQ(values(flatten_all(r.parameters())), values(flatten_all(r.run.start)));
  }
}

TEST(TracIn, OfCheckpointsIsTheSumOfTheirGradientsProducts) {
  for (size_t index = 0; index < 4; ++index) {
    SmallRun r(index, 0.01, 2);
    const auto& parameters = r.parameters();
    Tensor end = replay(r.run, r.f.example, parameters);
    std::vector<Tensor> last = unflatten(end, parameters);
    Examples tests{[&](int64_t i) { return r.f.example(3 - i); }, 2};
    Tensor found = tracin(r.examples, tests, parameters, {{r.run.start, 0.3}, {last, 0.1}});
    auto products = [&](const std::vector<Tensor>& at) {
      Restore restore(parameters);
      assign(parameters, at);
      Tensor g = per_example_gradients(r.f.example, parameters, 4);
      Tensor t = per_example_gradients(tests.loss, parameters, 2);
      return matmul(t, g.transpose(0, 1));
    };
    Tensor wanted = products(r.run.start) * 0.3 + products(last) * 0.1;
    EXPECT_LT(largest_difference(found, wanted), 1e-10 * max(abs(wanted)).item()) << r.f.name;
    EXPECT_EQ(values(flatten_all(parameters)), values(flatten_all(r.run.start)));
  }
}

TEST(TracIn, TelescopesToSecondOrder) {
  // The sum over all examples of TracIn at every step misses the fall of the loss by O(rate^2).
  auto gap = [](double rate) {
    SmallRun r(1, rate, 1);
    auto before = r.losses_at(flatten_all(r.run.start));
    auto after = r.losses_at(replay(r.run, r.f.example, r.parameters()));
    // The one step of the run, examples 0, 1 and 2, as one checkpoint.
    Examples batch{r.f.example, 3};
    auto rows =
        values(sum(tracin(batch, r.examples, r.parameters(), {{r.run.start, rate / 3}}), {1}));
    return std::abs(rows[3] - (before[3] - after[3]));
  };
  double wide = gap(0.02), narrow = gap(0.01);
  EXPECT_GT(wide, 1e-8);
  EXPECT_NEAR(wide / narrow, 4, 0.3);
}

TEST(TracIn, OfOneStepPredictsReplayWithoutAnExample) {
  SmallRun r(3, 1e-4, 1);
  Tensor estimate = tracin(r.examples, r.examples, r.parameters(), {{r.run.start, 1e-4 / 3}});
  auto whole = r.losses_at(replay(r.run, r.f.example, r.parameters()));
  for (int64_t i = 0; i < 3; ++i) {
    auto without = r.losses_at(replay(r.run, r.f.example, r.parameters(), i));
    for (int64_t t = 0; t < 4; ++t) {
      double actual = without[static_cast<size_t>(t)] - whole[static_cast<size_t>(t)];
      EXPECT_NEAR(estimate.select(0, t).select(0, i).item(), actual,
                  1e-2 * std::abs(actual) + 1e-9);
    }
  }
}

TEST(TracIn, ReplayIsTheSameToTheBitAndWithoutAnAbsentExampleNothingChanges) {
  SmallRun r(0, 0.02, 6);
  Tensor first = replay(r.run, r.f.example, r.parameters());
  EXPECT_EQ(values(first), values(replay(r.run, r.f.example, r.parameters())));
  EXPECT_EQ(values(first), values(replay(r.run, r.f.example, r.parameters(), 99)));
  EXPECT_NE(values(first), values(replay(r.run, r.f.example, r.parameters(), 2)));
  r.run.learning_rates.pop_back();
  EXPECT_FAILS(replay(r.run, r.f.example, r.parameters()), "6 batches but 5 learning rates");
}

}  // namespace
}  // namespace strata::introspect
