// Gradient clipping and moving averages.
#include <cmath>
#include <limits>

#include "engine/autograd/autograd.h"
#include "engine/nn/module.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/random.h"
#include "engine/ops/view.h"
#include "engine/optim.h"
#include "kernels/common/parallel.h"
#include "tests/support/expect.h"

namespace strata::test {
namespace {

TEST(Clip, NormOfAllGradientsTogether) {
  Tensor a = leaf({0, 0}), b = leaf({0}), c = leaf({0});
  a.set_grad(vector_of({3, 0}));
  b.set_grad(vector_of({4}));
  EXPECT_DOUBLE_EQ(clip_grad_norm({a, b, c}, 10), 5);
  expect_near(values(a.grad()), {3, 0}, 0);
  EXPECT_DOUBLE_EQ(clip_grad_norm({a, b, c}, 1), 5);
  double factor = 1 / (5 + 1e-6);
  expect_near(values(a.grad()), {3 * factor, 0}, 1e-15);
  expect_near(values(b.grad()), {4 * factor}, 1e-15);
  EXPECT_FALSE(c.grad().defined());
}

TEST(Clip, AGradientSharedByTwoParametersIsScaledOnce) {
  // d(a + b): one tensor of gradients arrives at both.
  Tensor a = leaf({1, 2}), b = leaf({3, 4});
  backward(a + b, vector_of({3, 4}));
  EXPECT_NEAR(clip_grad_norm({a, b}, 1), std::sqrt(50.0), 1e-12);
  for (const Tensor& t : {a, b}) {
    expect_near(values(t.grad()), {3 / std::sqrt(50.0), 4 / std::sqrt(50.0)}, 1e-6);
  }
}

TEST(Clip, GradientsThatAreNotFiniteStay) {
  Tensor a = leaf({1, 2});
  a.set_grad(vector_of({std::numeric_limits<double>::quiet_NaN(), 2}));
  EXPECT_TRUE(std::isnan(clip_grad_norm({a}, 1)));
  EXPECT_EQ(values(a.grad())[1], 2);
  clip_grad_value({a}, 1);
  EXPECT_TRUE(std::isnan(values(a.grad())[0]));
  EXPECT_EQ(values(a.grad())[1], 1);
}

TEST(Clip, ByValue) {
  Tensor a = leaf({0, 0, 0}), b = vector_of({0}).to(DType::bf16).set_requires_grad();
  a.set_grad(vector_of({-3, 0.25, 9}));
  b.set_grad(vector_of({-7}).to(DType::bf16));
  clip_grad_value({a, b}, 0.5);
  expect_near(values(a.grad()), {-0.5, 0.25, 0.5}, 0);
  expect_near(values(b.grad()), {-0.5}, 0);
  EXPECT_FAILS(clip_grad_value({a}, -1), "bound must be above 0");
  EXPECT_FAILS(clip_grad_norm({a}, 0), "max_norm must be above 0");
}

TEST(Clip, TheNormIsTheSameForAnyThreadCount) {
  Generator generator(3);
  Tensor a = rand({300'001}, -1, 1, DType::f32, &generator).set_requires_grad();
  a.set_grad(a.detach().clone());
  int before = thread_count();
  set_thread_count(1);
  double one = clip_grad_norm({a}, 1e9);
  set_thread_count(3);
  EXPECT_EQ(clip_grad_norm({a}, 1e9), one);
  set_thread_count(before);
  double square = 0;
  for (double value : values(a)) square += value * value;
  EXPECT_NEAR(one, std::sqrt(square), 1e-9 * one);
}

struct TwoParameters : Module {
  Tensor a = add_parameter("a", vector_of({1, 2}));
  Tensor b = add_parameter("b", vector_of({3}).to(DType::f32));
};

TEST(MovingAverage, FollowsItsFormula) {
  TwoParameters model;
  MovingAverage average(model, 0.75);
  NoGrad off;
  copy_(model.a, vector_of({5, 6}));
  average.update();
  expect_near(values(average.state_dict().at("a")), {2, 3}, 1e-15);
  average.update();
  expect_near(values(average.state_dict().at("a")), {2.75, 3.75}, 1e-15);
  expect_near(values(average.state_dict().at("b")), {3}, 0);
}

TEST(MovingAverage, ScopeLendsTheAveragesToTheModel) {
  TwoParameters model;
  MovingAverage average(model, 0.5);
  {
    NoGrad off;
    copy_(model.a, vector_of({3, 4}));
  }
  average.update();
  {
    MovingAverage::Scope averaged(average);
    expect_near(values(model.a), {2, 3}, 0);
  }
  expect_near(values(model.a), {3, 4}, 0);
  EXPECT_TRUE(model.a.requires_grad());
}

TEST(MovingAverage, StateGoesRoundAndMustFit) {
  TwoParameters model, other;
  MovingAverage average(model, 0.5), copy(other, 0.5);
  {
    NoGrad off;
    copy_(model.a, vector_of({3, 4}));
  }
  average.update();
  copy.load_state_dict(average.state_dict());
  expect_near(values(copy.state_dict().at("a")), {2, 3}, 0);
  EXPECT_FAILS(
      copy.load_state_dict({{"a", vector_of({1})}, {"x", vector_of({1})}}),
      "'a' is f64\\[1\\], here f64\\[2\\], 'b' \\(f32\\[1\\]\\) is missing, 'x' .* unknown");
}

}  // namespace
}  // namespace strata::test
