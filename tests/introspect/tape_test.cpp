// The tape and the walk over it: without rules it is the backward pass.
#include "tools/introspect/tape.h"

#include <gtest/gtest.h>

#include "engine/tensor/allocator.h"
#include "tests/introspect/networks.h"
#include "tests/support/expect.h"

namespace strata::introspect {
namespace {

using namespace test;
using strata::test::leaf;
using strata::test::values;

TEST(Tape, PropagateWithoutRulesIsTheGradientBitForBit) {
  for (auto& f : networks()) {
    Tensor x = f.x.detach().set_requires_grad(), scores;
    Watch watch({f.layer});
    Tape tape([&] { scores = f.model(x); });
    Tensor seed = random(scores.shape(), 5);
    std::vector<Tensor> wanted = watch[f.layer];
    wanted.push_back(x);
    auto walked = propagate(tape, scores, seed, wanted);
    auto expected = grad({scores}, wanted, {seed}, {.retain_graph = true});
    for (size_t i = 0; i < wanted.size(); ++i) {
      EXPECT_EQ(values(walked[i]), values(expected[i])) << f.name << " " << i;
      EXPECT_GT(max(abs(walked[i])).item(), 0) << f.name << " " << i;
    }
  }
}

TEST(Tape, HoldsEveryStepWithItsOperands) {
  Tensor x = leaf({1, -2}), w = leaf({3, 4}), y;
  Tape tape([&] { y = sum(relu(x * w)); });
  std::vector<std::string> ops;
  for (auto& step : tape.steps()) ops.push_back(step.op);
  EXPECT_EQ(ops, (std::vector<std::string>{"mul", "relu", "sum"}));
  const Step& product = tape.steps()[0];
  EXPECT_EQ(product.inputs[0].node(), x.node());
  EXPECT_EQ(product.inputs[1].node(), w.node());
  EXPECT_EQ(values(product.out), (std::vector<double>{3, -8}));
  EXPECT_EQ(tape.find(y.node().get()), 2);
  EXPECT_EQ(tape.find(x.node().get()), -1);
}

TEST(Tape, TakesFusedOpsApart) {
  Tensor x = random({1, 4, 4, 2}, 1), w = random({2, 3, 3, 2}, 2), y;
  x.set_requires_grad();
  Tape tape([&] { y = conv2d(x, w, {}, {.padding = 1, .relu = true}, x); });
  std::vector<std::string> ops;
  for (auto& step : tape.steps()) ops.push_back(step.op);
  EXPECT_EQ(ops, (std::vector<std::string>{"conv2d", "add", "relu"}));
}

TEST(Tape, ARuleReplacesTheGradientOfEveryUseOfItsOp) {
  Tensor x = leaf({1, 2});
  int calls = 0;
  Tensor y;
  Tape tape([&] { y = tanh(tanh(x) * 2.0); });
  Rules rules{.ops = {{"tanh", [&](const Visit& visit, const Tensor& g) {
                         ++calls;
                         EXPECT_TRUE(visit.needs(0));
                         EXPECT_EQ(visit.step().inputs.size(), 1u);
                         return Gradients{g * 3.0};
                       }}}};
  EXPECT_EQ(values(propagate(tape, y, leaf({1, 10}).detach(), {x}, rules)[0]),
            (std::vector<double>{18, 180}));
  EXPECT_EQ(calls, 2);
  Rules all{.otherwise = [](const Visit&, const Tensor& g) { return Gradients{g * 5.0}; }};
  EXPECT_EQ(values(propagate(tape, y, leaf({1, 10}).detach(), {x}, all)[0]),
            (std::vector<double>{125, 1250}));
}

TEST(Tape, WhatARuleGivesIsSummedToAShapeThatWasBroadcast) {
  Tensor a = leaf({1, 2, 3}), b = random({2, 3}, 1).set_requires_grad(), y;
  Tape tape([&] { y = a * b; });
  Rules rules{.ops = {{"mul", [](const Visit&, const Tensor& g) { return Gradients{g, g}; }}}};
  Tensor seed = ones({2, 3}, DType::f64);
  EXPECT_EQ(values(propagate(tape, y, seed, {a}, rules)[0]), (std::vector<double>{2, 2, 2}));
  Rules wrong{.ops = {{"mul", [](const Visit&, const Tensor&) { return Gradients{zeros({7})}; }}}};
  EXPECT_FAILS(propagate(tape, y, seed, {a}, wrong), R"(rule for 'mul' gave f32\[7\].*\[3\])");
}

TEST(Tape, LinearOpsRunWithOtherWeightsBothWays) {
  Tensor x = random({2, 5, 5, 3}, 1).set_requires_grad(), w = random({4, 3, 3, 3}, 2), y;
  Tensor other = random(w.shape(), 3), v = random(x.shape(), 4);
  Tape tape([&] { y = conv2d(x, w, {}, {.stride = 2, .padding = 1}); });
  Tensor g = random(y.shape(), 5), transposed, forward;
  Rules rules{.ops = {{"conv2d", [&](const Visit& visit, const Tensor& gradient) {
                         transposed = visit.vjp(gradient, {Tensor(), other})[0];
                         EnableGrad on;
                         Tensor point = zeros_like(gradient).set_requires_grad();
                         Tensor u = visit.vjp(point, {Tensor(), other})[0];
                         forward = grad({u}, {point}, {v})[0];
                         return Gradients{transposed};
                       }}}};
  propagate(tape, y, g, {x}, rules);
  Tensor expected = conv2d(v, other, {}, {.stride = 2, .padding = 1});
  EXPECT_LT(largest_difference(forward, expected), 1e-12);
  EXPECT_NEAR(sum(transposed * v).item(), sum(g * expected).item(), 1e-10);
}

TEST(Tape, WantedTensorsPassOnWhatTheyReceive) {
  Tensor x = leaf({2}), inner, y;
  Tape tape([&] {
    inner = x * 3.0;
    y = square(inner);
  });
  auto both = propagate(tape, y, ones({1}, DType::f64), {inner, x});
  EXPECT_EQ(both[0].item(), 12);
  EXPECT_EQ(both[1].item(), 36);
}

TEST(Tape, WhatTheOutputDoesNotDependOnReceivesZeros) {
  Tensor x = leaf({1, 2}), other = leaf({3, 4, 5}), y, aside;
  Tape tape([&] {
    y = relu(x);
    aside = relu(other);
  });
  auto both = propagate(tape, y, ones({2}, DType::f64), {aside, x});
  EXPECT_EQ(values(both[0]), (std::vector<double>{0, 0, 0}));
  EXPECT_EQ(values(both[1]), (std::vector<double>{1, 1}));
}

TEST(Tape, WatchedActivationsWantGradientsWhereParametersDoNot) {
  ConvNetwork model;  // nothing wants a gradient
  Watch watch({"conv1"});
  Tensor scores;
  Tape tape([&] { scores = model(random({1, 8, 8, 2}, 6)); });
  Tensor a = watch["conv1"].at(0);
  EXPECT_EQ(watch["conv1"].size(), 1u);
  Tensor gradient = propagate(tape, scores, ones({1, 3}, DType::f64), {a})[0];
  EXPECT_EQ(gradient.shape(), a.shape());
  EXPECT_FAILS(watch["conv7"], "no activation 'conv7' .*asked for: conv1");
}

TEST(Tape, LetsGoOfEverything) {
  ConvNetwork model;
  auto pass = [&] {
    Tensor x = random({1, 8, 8, 2}, 7).set_requires_grad(), scores;
    Watch watch({"conv1"});
    Tape tape([&] { scores = model(x); });
    propagate(tape, scores, ones({1, 3}, DType::f64), {x});
  };
  pass();
  size_t before = memory::stats().active;
  pass();
  EXPECT_EQ(memory::stats().active, before);
  EXPECT_FALSE(OpObserver::active());
}

TEST(Tape, RefusesWhatCannotBePropagated) {
  Tensor x = leaf({1, 2}), early = x * 2.0, y, constant;
  Tape tape([&] {
    y = relu(early);
    constant = relu(x.detach());
  });
  Tensor seed = ones({2}, DType::f64);
  EXPECT_FAILS(propagate(tape, constant, seed, {x}), "does not depend on anything");
  EXPECT_FAILS(propagate(tape, y, ones({3}), {x}), R"(seed f32\[3\] must have the shape)");
  EXPECT_FAILS(propagate(tape, y, seed, {x.detach()}), "does not require a gradient");
  Rules rules{.ops = {{"mul", [](const Visit& visit, const Tensor& g) {
                         return Gradients{g * visit.step().inputs[0]};
                       }}}};
  EXPECT_FAILS(propagate(tape, y, seed, {x}, rules), "'mul' has a rule but is not on the tape");
}

}  // namespace
}  // namespace strata::introspect
