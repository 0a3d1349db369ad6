// Slices of the loss: closed forms on a quadratic, and that nothing is left behind.
#include "tools/introspect/curvature/landscape.h"

#include <gtest/gtest.h>

#include "models/vision/convnet.h"
#include "tests/introspect/curvature/families.h"
#include "tests/support/expect.h"

namespace strata::introspect {
namespace {

using namespace test;
using strata::test::values;

TEST(Landscape, OfAQuadraticIsAParabola) {
  Regression r(20, 4, 0.1);
  Tensor a = random({4}, 80), b = random({4}, 81), h = r.hessian_matrix();
  assign({r.w}, random({4}, 82));
  Objective objective = r.objective();
  Tensor g = gradient(objective);
  double base = loss_value(objective);
  auto parabola = [&](const Tensor& d) {
    return base + dot(g, d).item() + dot(d, matmul(h, d)).item() / 2;
  };
  std::vector<double> steps = {-1, -0.3, 0, 0.7};
  auto line = loss_along(objective, a, steps);
  for (size_t i = 0; i < steps.size(); ++i) EXPECT_NEAR(line[i], parabola(steps[i] * a), 1e-12);
  auto plane = values(loss_over(objective, a, b, steps, {-2, 1}));
  for (size_t i = 0; i < steps.size(); ++i) {
    EXPECT_NEAR(plane[2 * i], parabola(steps[i] * a + -2.0 * b), 1e-12);
    EXPECT_NEAR(plane[2 * i + 1], parabola(steps[i] * a + 1.0 * b), 1e-12);
  }
}

TEST(Landscape, LeavesEveryFamilyWithItsBits) {
  for (auto& f : family_objectives()) {
    auto before = values(flatten_all(f.objective.parameters));
    Tensor d = filter_normalised_direction(f.objective.parameters, 3);
    auto line = loss_along(f.objective, d, {-0.1, 0, 0.1});
    EXPECT_EQ(line[1], loss_value(f.objective)) << f.name;
    EXPECT_NE(line[0], line[1]) << f.name;
    EXPECT_EQ(values(flatten_all(f.objective.parameters)), before) << f.name;
    try {
      loss_along(f.objective, d, {0.1}, [] { fail("prepare", Caller{}, "thrown half-way"); });
    } catch (const Error&) {
    }
    EXPECT_EQ(values(flatten_all(f.objective.parameters)), before) << f.name;
  }
}

TEST(Landscape, FiltersOfADirectionHaveTheNormsOfTheWeights) {
  Tensor w = random({4, 3, 3, 2}, 83), bias = random({4}, 84);
  auto parts = unflatten(filter_normalised_direction({w, bias}, 5), {w, bias});
  EXPECT_LT(largest_difference(norm(parts[0], {1, 2, 3}), norm(w, {1, 2, 3})), 1e-12);
  EXPECT_EQ(max(abs(parts[1])).item(), 0);
  EXPECT_GT(largest_difference(parts[0], w), 0.1);
  Tensor same = filter_normalised_direction({w, bias}, 5);
  EXPECT_EQ(values(flatten_all(parts)), values(same));
}

// A network with batch norms, and two states of it.
// Seeds before the model below it is made.
struct Seeded {
  Seeded() { manual_seed(7); }
};
struct Normed : private Seeded {
  ConvNet model{{.channels = 1, .classes = 3, .widths = {4}, .halve = {}}};
  Tensor x, labels = from_vector(std::vector<int64_t>{0, 1, 2, 0, 1, 2}, {6});
  StateDict first, second;
  Normed() {
    Generator generator(85);
    x = randn({6, 6, 6, 1}, 2, 3, DType::f32, &generator);
    first = copy();
    model(x);  // moves the running statistics
    NoGrad off;
    for (Tensor& p : model.parameters())
      add_(p, randn(p.shape(), 0, 1, p.dtype(), &generator), 0.1);
    second = copy();
    model.eval();
  }
  StateDict copy() {
    NoGrad off;
    StateDict state = model.state_dict();
    for (auto& [name, tensor] : state) tensor = tensor.detach().clone();
    return state;
  }
  double loss_of(const StateDict& state) {
    NoGrad off;
    StateDict before = copy();
    model.load_state_dict(state);
    double loss = cross_entropy(model(x), labels).item();
    model.load_state_dict(before);
    return loss;
  }
};

TEST(Landscape, BetweenTwoCheckpointsItsEndsAreTheirs) {
  Normed n;
  StateDict before = n.copy();
  auto loss = [&] { return cross_entropy(n.model(n.x), n.labels); };
  auto line = loss_between(n.model, loss, n.first, n.second, {0, 0.5, 1});
  EXPECT_EQ(line[0], n.loss_of(n.first));
  EXPECT_EQ(line[2], n.loss_of(n.second));
  EXPECT_NE(line[0], line[2]);
  StateDict after = n.copy();
  for (auto& [name, tensor] : before) EXPECT_EQ(values(tensor), values(after.at(name))) << name;
  StateDict wrong = n.first;
  wrong.erase(wrong.begin());
  EXPECT_FAILS(loss_between(n.model, loss, wrong, n.second, {0}), "does not fit the module");
}

TEST(Landscape, RunningStatisticsAreKeptOrPrepared) {
  Normed n;
  n.model.train();  // the loss itself moves the statistics
  Objective objective =
      objective_of(n.model, [&] { return cross_entropy(n.model(n.x), n.labels); });
  Tensor d = filter_normalised_direction(objective.parameters, 6);
  StateDict before = n.copy();
  auto line = loss_along(objective, d, {1, 1});
  EXPECT_EQ(line[0], line[1]);
  // In evaluation with statistics estimated at each point, by averages of one batch with momentum
  // 0.1: many passes bring the loss to that of training mode.
  Objective evaluated = objective_of(n.model, [&] {
    n.model.eval();
    return cross_entropy(n.model(n.x), n.labels);
  });
  auto prepared = loss_along(evaluated, d, {1}, [&] {
    n.model.train();
    for (int pass = 0; pass < 120; ++pass) n.model(n.x);
  });
  auto stale = loss_along(evaluated, d, {1});
  double stale_gap = std::abs(stale[0] - line[0]);
  EXPECT_GT(stale_gap, 0.01);
  EXPECT_LT(std::abs(prepared[0] - line[0]), 0.2 * stale_gap);
  StateDict after = n.copy();
  for (auto& [name, tensor] : before) EXPECT_EQ(values(tensor), values(after.at(name))) << name;
}

}  // namespace
}  // namespace strata::introspect
