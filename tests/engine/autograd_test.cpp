// First-order gradients: what flows, what stops, what is refused and how it is said.
#include "engine/autograd/autograd.h"

#include <gtest/gtest.h>

#include "engine/ops.h"
#include "tests/support/expect.h"

namespace strata {
namespace {

using test::expect_near;
using test::leaf;
using test::values;
using test::vector_of;

TEST(Autograd, AddsGradientsOfEveryUse) {
  Tensor x = leaf({2, 3});
  Tensor y = x * x + x;  // 2x + 1
  backward(sum(y));
  expect_near(values(x.grad()), {5, 7});
  backward(sum(x * x));  // a second pass adds to the first
  expect_near(values(x.grad()), {9, 13});
  x.zero_grad();
  EXPECT_FALSE(x.grad().defined());
}

TEST(Autograd, StartsFromAGivenGradient) {
  Tensor x = leaf({2, 3});
  backward(x * x, vector_of({10, 100}));
  expect_near(values(x.grad()), {40, 600});
  EXPECT_FAILS(backward(x * x),
               R"(\[backward\] the output f64\[2\] is not a scalar.*autograd_test)");
}

TEST(Autograd, InnerTensorsKeepGradientsOnlyWhenAsked) {
  Tensor x = leaf({2});
  Tensor y = x * 3.0, z = y * y;
  y.retain_grad();
  backward(sum(z));
  expect_near(values(y.grad()), {12});
  EXPECT_FALSE(z.grad().defined());
  EXPECT_TRUE(x.is_leaf());
  EXPECT_FALSE(y.is_leaf());
}

TEST(Autograd, DetachAndNoGradStopTheTape) {
  Tensor x = leaf({2});
  EXPECT_FALSE((x.detach() * 2.0).requires_grad());
  {
    NoGrad off;
    EXPECT_FALSE(grad_enabled());
    EXPECT_FALSE((x * 2.0).requires_grad());
    {
      EnableGrad on;
      EXPECT_TRUE((x * 2.0).requires_grad());
    }
    EXPECT_FALSE(grad_enabled());
  }
  EXPECT_TRUE(grad_enabled());
  EXPECT_FAILS(backward(sum(x.detach())),
               R"(\[backward\] the output f64\[\] does not depend on anything that requires)");
}

TEST(Autograd, SumsGradientsToBroadcastShapes) {
  struct {
    Dims a, b;
  } cases[] = {{{2, 3}, {3}},    {{2, 3}, {2, 1}}, {{2, 3}, {}},     {{}, {2, 3}},
               {{2, 1}, {1, 3}}, {{1}, {2, 3}},    {{1, 1}, {2, 3}}, {{4, 2, 3}, {1, 3}},
               {{0, 3}, {3}},    {{0, 3}, {1, 1}}};
  for (auto& c : cases) {
    Tensor a = full(c.a, 2, DType::f64).set_requires_grad();
    Tensor b = full(c.b, 5, DType::f64).set_requires_grad();
    Tensor y = a * b;
    backward(sum(y));
    ASSERT_EQ(a.grad().shape(), c.a);
    ASSERT_EQ(b.grad().shape(), c.b);
    double n = static_cast<double>(y.numel());
    for (double g : values(a.grad())) EXPECT_EQ(g, 5 * n / static_cast<double>(a.numel()));
    for (double g : values(b.grad())) EXPECT_EQ(g, 2 * n / static_cast<double>(b.numel()));
  }
}

// A vjp may return a gradient that stretches along one axis and is summed along another.
TEST(Autograd, FitsGradientsThatStretchAndSum) {
  Tensor x = full({2, 1}, 1, DType::f64).set_requires_grad();
  auto with_gradient = [&](const Tensor& g) {
    return record(full({}, 0, DType::f64), "odd", Caller::here(), {x}, {},
                  [g](const Tensor&, const Saved&) { return Gradients{g}; });
  };
  expect_near(values(grad(with_gradient(from_vector<double>({1, 2, 3}, {1, 3})), x)), {6, 6});
  expect_near(values(grad(with_gradient(full({}, 4, DType::f64)), x)), {4, 4});
  EXPECT_FAILS(grad(with_gradient(full({3, 2}, 1, DType::f64)), x),
               R"(\[odd\] the gradient f64\[3,2\] of input 0 does not fit its shape \[2,1\])");
}

TEST(Autograd, GradientsTakeTheirTensorsType) {
  Tensor x = full({2}, 3, DType::f32).set_requires_grad();
  Tensor y = full({2}, 2, DType::f64).set_requires_grad();
  backward(sum(x * y));
  EXPECT_EQ(x.grad().dtype(), DType::f32);
  EXPECT_EQ(y.grad().dtype(), DType::f64);
}

TEST(Autograd, FreedGraphIsAnErrorWithACause) {
  Tensor x = leaf({2});
  Tensor y = sum(x * x);
  backward(y);
  EXPECT_FAILS(backward(y), "freed what it saved. Pass retain_graph = true");
  y = sum(x * x);
  backward(y, {}, {.retain_graph = true});
  backward(y, {}, {.retain_graph = true});
  backward(y);
  expect_near(values(x.grad()), {16});
}

TEST(Autograd, ErrorInAPassLeavesTheGraphUsable) {
  Tensor x = leaf({2});
  Tensor middle = x * x, y = sum(middle * middle);
  int hook = register_hook(middle, [](const Tensor&) -> Tensor { throw Error("stop"); });
  EXPECT_FAILS(grad(y, x, {.retain_graph = true}), "stop");
  remove_hook(middle, hook);
  EXPECT_NEAR(grad(y, x).item(), 32, 1e-12);
}

TEST(Autograd, SavedValuesOverwrittenInPlaceAreAnError) {
  Tensor x = leaf({2, 3});
  Tensor factor = vector_of({4, 5});
  Tensor y = x * factor;
  add_(factor, vector_of({1, 1}));
  EXPECT_FAILS(backward(sum(y)), R"(\[mul\] the backward pass needs f64\[2\] as it was.*'add_' at )"
                                 R"(autograd_test\.cpp:\d+ has overwritten it.*clone\(\) first )"
                                 R"(\(autograd_test\.cpp:\d+\))");
  Tensor view = factor.slice(0, 0, 1);
  y = x * factor;
  fill_(view, 0);  // through a view of the same storage
  EXPECT_FAILS(backward(sum(y)), "'fill_'");
  y = x + factor;  // saves nothing, so nothing is wrong
  fill_(factor, 0);
  backward(sum(y));
  expect_near(values(x.grad()), {1, 1});
}

TEST(Autograd, WritesInPlaceToRecordedTensorsAreRefused) {
  Tensor x = leaf({2, 3});
  EXPECT_FAILS(add_(x, x.detach()),
               R"(\[add_\] f64\[2\] is a leaf that requires a gradient.*NoGrad.*autograd_test)");
  Tensor y = x * 2.0;
  EXPECT_FAILS(mul_(y, 2), R"(\[mul_\] f64\[2\] is the result of 'mul')");
  NoGrad off;
  add_(x, vector_of({1, 1}), -1.0);
  expect_near(values(x), {1, 2});
}

TEST(Autograd, HooksSeeAndReplaceGradients) {
  Tensor x = leaf({2});
  Tensor y = x * 3.0;
  std::vector<double> seen;
  register_hook(y, [&](const Tensor& g) {
    seen.push_back(g.select(0, 0).item());
    return Tensor();
  });
  int doubling = register_hook(y, [](const Tensor& g) { return g * 2.0; });
  register_hook(x, [&](const Tensor& g) {
    seen.push_back(g.select(0, 0).item());
    return Tensor();
  });
  backward(sum(y), {}, {.retain_graph = true});
  EXPECT_EQ(seen, (std::vector<double>{1, 6}));
  expect_near(values(x.grad()), {6});
  remove_hook(y, doubling);
  backward(sum(y));
  EXPECT_EQ(seen, (std::vector<double>{1, 6, 1, 3}));
  EXPECT_FAILS(register_hook(vector_of({1}), [](const Tensor& g) { return g; }),
               R"(\[register_hook\].*does not require)");
}

TEST(Autograd, HooksMayRemoveThemselves) {
  Tensor x = leaf({2});
  int calls = 0, handle = -1;
  handle = register_hook(x, [&](const Tensor&) {
    ++calls;
    remove_hook(x, handle);
    return Tensor();
  });
  int later = register_hook(x, [&](const Tensor&) {
    calls += 10;
    return Tensor();
  });
  EXPECT_NE(handle, later);
  backward(sum(x * x));
  EXPECT_EQ(calls, 11);
  backward(sum(x * x));
  EXPECT_EQ(calls, 21);
  remove_hook(x, later);
  int newest = register_hook(x, [](const Tensor&) { return Tensor(); });
  EXPECT_NE(newest, later) << "an old handle must not remove a new hook";
}

TEST(Autograd, GradReturnsWhatWasAskedAndTouchesNothing) {
  Tensor x = leaf({2}), y = leaf({5});
  Tensor h = x * y, z = h * h;
  auto g = grad({sum(z)}, {x, h, y});
  expect_near(values(g[0]), {100});
  expect_near(values(g[1]), {20});
  expect_near(values(g[2]), {40});
  EXPECT_FALSE(x.grad().defined());
  EXPECT_EQ(grad(x, x).item(), 1) << "an output that is the input";
  EXPECT_TRUE(grad(std::vector{sum(x * x)}, std::vector<Tensor>()).empty());
}

TEST(Autograd, GradSaysWhichInputIsUnused) {
  Tensor x = leaf({2}), y = leaf({5});
  EXPECT_FAILS(grad({sum(x * x)}, {x, y}),
               R"(no output depends on input 1 \(f64\[1\]\).*allow_unused)");
  auto g = grad({sum(x * x)}, {x, y}, {}, {.allow_unused = true});
  EXPECT_FALSE(g[1].defined());
  EXPECT_FAILS(grad(sum(x * x), vector_of({1})), "does not require a gradient");
  // An input that nothing used does not mark later passes.
  expect_near(values(grad(sum(y * y), y)), {10});
}

TEST(Autograd, GradSkipsBranchesNobodyAskedFor) {
  Tensor x = leaf({2}), y = leaf({5});
  int runs = 0;
  Tensor costly = record(full({1}, 7, DType::f64), "costly", Caller::here(), {y}, {},
                         [&](const Tensor& g, const Saved&) {
                           ++runs;
                           return Gradients{g};
                         });
  Tensor out = sum(x * costly);
  expect_near(values(grad(out, x, {.retain_graph = true})), {7});
  EXPECT_EQ(runs, 0);
  expect_near(values(grad(out, y)), {2});
  EXPECT_EQ(runs, 1);
}

TEST(Autograd, NeedsTellsWhichInputsMatter) {
  Tensor x = leaf({2}), y = leaf({5}), plain = vector_of({1});
  std::vector<bool> needs;
  auto op = [&] {
    return record(full({1}, 7, DType::f64), "op", Caller::here(), {x, y, plain}, {},
                  [&](const Tensor& g, const Saved& s) {
                    needs = {s.needs(0), s.needs(1), s.needs(2)};
                    return Gradients{g, g, g};
                  });
  };
  grad(op(), y);
  EXPECT_EQ(needs, (std::vector<bool>{false, true, false}));
  backward(op());
  EXPECT_EQ(needs, (std::vector<bool>{true, true, false}));
}

// Asking for the gradient at an inner tensor leaves the graph below it alone.
TEST(Autograd, GradAtAnInnerTensorKeepsWhatLiesBelow) {
  Tensor x = leaf({2});
  Tensor h = x * x;
  Tensor y = sum(h * h);
  expect_near(values(grad(y, h)), {8});
  backward(sum(h));
  expect_near(values(x.grad()), {4});
}

TEST(Autograd, PassesNest) {
  Tensor x = leaf({2}), w = leaf({3});
  Tensor inner_gradient;
  Tensor y = record(full({1}, 1, DType::f64), "nested", Caller::here(), {x, w}, {},
                    [&](const Tensor& g, const Saved&) {
                      EnableGrad on;  // a pass of its own over the same leaves
                      Tensor again = x * x * w;
                      auto gs = grad({again}, {x, w}, {g});
                      return Gradients{gs[0], gs[1]};
                    });
  backward(sum(y * w + x * w));
  expect_near(values(x.grad()), {3 * 2 * 2 * 3 + 3});  // w * 2xw + w
  expect_near(values(w.grad()), {3 * 4 + 1 + 2});      // w * x^2 + y + x
}

TEST(Autograd, TypesWithoutGradientsEndTheTape) {
  Tensor x = leaf({2});
  EXPECT_FALSE(x.to(DType::i64).requires_grad());
  EXPECT_TRUE(x.to(DType::f32).requires_grad());
  EXPECT_FALSE(greater(x, x).requires_grad());
}

TEST(Autograd, SetRequiresGradOnResultsIsAnError) {
  Tensor x = leaf({2});
  Tensor y = x * 2.0;
  EXPECT_FAILS(y.set_requires_grad(), R"(f64\[1\] is a result of 'mul'; call detach\(\) first)");
  x.set_requires_grad(false);
  EXPECT_FALSE(x.requires_grad());
}

}  // namespace
}  // namespace strata
