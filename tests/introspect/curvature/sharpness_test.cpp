// Sharpness: closed forms on a quadratic, and what rescaling a ReLU network must and must not
// change.
#include "tools/introspect/curvature/sharpness.h"

#include <gtest/gtest.h>

#include "tests/introspect/curvature/families.h"

namespace strata::introspect {
namespace {

using namespace test;

TEST(Sharpness, OfAQuadraticsMinimumIsItsTopEigenvalue) {
  Tensor d = from_vector(std::vector<double>{1, 4, 9, 2}, {4}), w = zeros({4}, DType::f64);
  w.set_requires_grad();
  Objective objective{[=] { return sum(d * w * w) / 2.0; }, {w}};
  EXPECT_NEAR(top_eigenpairs(hessian(objective)).values[0], 9, 1e-9);
  // The most that a ball of radius r rises is r^2 / 2 times it; the gradient at the start is 0.
  EXPECT_NEAR(rise_in_ball(objective, {.radius = 0.3, .steps = 40}), 0.09 / 2 * 9, 1e-9);
}

TEST(Sharpness, TheFirstStepOfABallIsSams) {
  auto f = family_objectives()[0];
  Tensor at = flatten_all(f.objective.parameters), g = gradient(f.objective);
  double before = loss_value(f.objective), radius = 0.05, by_hand;
  {
    Restore restore(f.objective);
    assign(f.objective.parameters, at + g * (radius / norm(g).item()));
    by_hand = loss_value(f.objective) - before;
  }
  EXPECT_GT(by_hand, 0);
  EXPECT_NEAR(rise_in_ball(f.objective, {.radius = radius, .steps = 1}), by_hand, 1e-14);
  EXPECT_GE(rise_in_ball(f.objective, {.radius = radius, .steps = 5}), by_hand);
  EXPECT_EQ(largest_difference(flatten_all(f.objective.parameters), at), 0);
}

// Two layers of a ReLU network with the first times alpha (its bias too) and the second by 1 /
// alpha: the same function.
struct Rescaled {
  Tensor w1, b1, w2, b2, x = random({16, 5}, 64), y = random({16, 3}, 65);
  explicit Rescaled(double alpha)
      : w1(random({8, 5}, 60) * alpha),
        b1(random({8}, 61) * alpha),
        w2(random({3, 8}, 62) / alpha),
        b2(random({3}, 63)) {
    for (Tensor* t : {&w1, &b1, &w2, &b2}) t->set_requires_grad();
  }
  Objective objective() const {
    return {[*this] { return mse_loss(linear(relu(linear(x, w1, b1)), w2, b2), y); },
            {w1, b1, w2, b2}};
  }
};

TEST(Sharpness, TheAdaptiveFormsDoNotChangeWhenReluLayersAreRescaled) {
  Objective plain = Rescaled(1).objective(), same = Rescaled(8).objective();
  ASSERT_NEAR(loss_value(plain), loss_value(same), 1e-12);
  for (Scaling scaling : {Scaling::elementwise, Scaling::filter}) {
    auto top = [&](const Objective& o) {
      TopOptions options{.tolerance = 1e-10};
      return top_eigenpairs(scaled(hessian(o), scaling_of(o.parameters, scaling)), options)
          .values[0];
    };
    EXPECT_NEAR(top(same) / top(plain), 1, 1e-8);
    BallOptions ball{.scaling = scaling, .radius = 0.2};
    EXPECT_NEAR(rise_in_ball(same, ball) / rise_in_ball(plain, ball), 1, 1e-8);
  }
  Sharpness a = sharpness(plain), b = sharpness(same);
  EXPECT_NEAR(b.adaptive_top / a.adaptive_top, 1, 1e-4);
  EXPECT_NEAR(b.adaptive_rise / a.adaptive_rise, 1, 1e-8);
  EXPECT_GT(b.top / a.top, 4);  // Dinh's point: the plain forms change at will
  EXPECT_GT(b.rise / a.rise, 2);
}

TEST(Sharpness, AFiltersScaleIsTheNormOfItsRow) {
  Tensor w = from_vector(std::vector<double>{3, 4, 0, -5}, {2, 2});
  Tensor b = from_vector(std::vector<double>{-2, 0}, {2});
  EXPECT_EQ(scaling_of({w, b}, Scaling::filter).to_vector<double>(),
            (std::vector<double>{5, 5, 5, 5, 2, 0}));
  EXPECT_EQ(scaling_of({w, b}, Scaling::elementwise).to_vector<double>(),
            (std::vector<double>{3, 4, 0, 5, 2, 0}));
}

}  // namespace
}  // namespace strata::introspect
