// Optimisers against PyTorch's parameters after each of six updates (tests/fixtures), against sums
// done by hand, and their own promises: groups, missing gradients, state, thread counts.
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "engine/autograd/autograd.h"
#include "engine/ops/elementwise.h"
#include "engine/ops/random.h"
#include "engine/ops/view.h"
#include "engine/optim.h"
#include "kernels/common/parallel.h"
#include "tests/support/expect.h"

namespace strata::test {
namespace {

using nlohmann::json;

const json& golden() {
  static const json data = json::parse(
      std::ifstream(std::string(STRATA_SOURCE_DIR) + "/tests/fixtures/optim_golden.json"));
  return data;
}

std::vector<Tensor> start(DType dtype) {
  std::vector<Tensor> parameters = {vector_of({0.5, -1.25, 2.0}), vector_of({0.1, -0.3})};
  for (Tensor& p : parameters) p = p.to(dtype).set_requires_grad();
  return parameters;
}

// The gradients of tests/fixtures/make_optim_golden.py.
void set_gradients(std::vector<Tensor>& parameters, int step) {
  for (size_t g = 0; g < parameters.size(); ++g) {
    std::vector<double> values;
    for (int i = 0; i < static_cast<int>(parameters[g].numel()); ++i) {
      values.push_back(std::sin(1.7 * step + 0.9 * i + 2.3 * static_cast<double>(g)) + 0.05 * i);
    }
    parameters[g].set_grad(vector_of(values).to(parameters[g].dtype()));
  }
}

// Runs six updates in f64 and in f32.
template <class O, class Options>
void expect_golden(const char* name, const Options& options) {
  for (auto [dtype, tolerance] : {std::pair(DType::f64, 1e-13), std::pair(DType::f32, 3e-6)}) {
    std::vector<Tensor> parameters = start(dtype);
    O optimizer(parameters, options);
    for (int step = 0; step < 6; ++step) {
      set_gradients(parameters, step);
      optimizer.step();
      for (size_t g = 0; g < parameters.size(); ++g) {
        SCOPED_TRACE(fmt::format("{} {} step {} parameter {}", name, name_of(dtype), step, g));
        auto want = golden().at(name).at(step).at(g).get<std::vector<double>>();
        expect_near(values(parameters[g]), want, tolerance);
      }
    }
  }
}

TEST(Optimizer, SgdAsPyTorch) {
  expect_golden<SGD>("sgd", SGDOptions{.learning_rate = 0.1});
  expect_golden<SGD>("sgd_decay", SGDOptions{.learning_rate = 0.1, .weight_decay = 0.05});
  expect_golden<SGD>("sgd_momentum",
                     SGDOptions{.learning_rate = 0.1, .momentum = 0.9, .weight_decay = 0.01});
  expect_golden<SGD>("sgd_dampening",
                     SGDOptions{.learning_rate = 0.1, .momentum = 0.9, .dampening = 0.3});
  expect_golden<SGD>("sgd_nesterov",
                     SGDOptions{.learning_rate = 0.1, .momentum = 0.8, .nesterov = true});
}

TEST(Optimizer, AdamAsPyTorch) {
  expect_golden<Adam>("adam", AdamOptions{.learning_rate = 0.05});
  expect_golden<Adam>("adam_decay", AdamOptions{.learning_rate = 0.05,
                                                .beta1 = 0.8,
                                                .beta2 = 0.95,
                                                .epsilon = 1e-6,
                                                .weight_decay = 0.1});
  expect_golden<AdamW>("adamw", AdamOptions{.learning_rate = 0.05, .weight_decay = 1e-2});
  expect_golden<AdamW>("adamw_decay", AdamOptions{.learning_rate = 0.05, .weight_decay = 0.3});
}

TEST(Optimizer, RmspropAsPyTorch) {
  expect_golden<RMSprop>("rmsprop", RMSpropOptions{.learning_rate = 0.02});
  expect_golden<RMSprop>("rmsprop_all", RMSpropOptions{.learning_rate = 0.02,
                                                       .alpha = 0.9,
                                                       .weight_decay = 0.05,
                                                       .momentum = 0.7,
                                                       .centered = true});
}

TEST(Optimizer, FirstAdamStepMovesByTheLearningRate) {
  // m / correction = g and v / correction = g^2, so the step is g / (|g| + epsilon).
  Tensor p = leaf({1, 2, 3});
  p.set_grad(vector_of({1e-3, -5, 700}));
  Adam({p}, {.learning_rate = 0.25, .epsilon = 0}).step();
  expect_near(values(p), {0.75, 2.25, 2.75}, 1e-15);
}

TEST(Optimizer, HalfPrecisionParametersRoundOnceAStep) {
  for (DType dtype : {DType::bf16, DType::f16}) {
    Tensor p = vector_of({1, -2, 0.5}).to(dtype).set_requires_grad();
    p.set_grad(vector_of({0.5, 0.25, -1}).to(dtype));
    SGD({p}, {.learning_rate = 0.125, .momentum = 0.9}).step();
    EXPECT_EQ(p.dtype(), dtype);
    expect_near(values(p), {0.9375, -2.03125, 0.625}, 0);
  }
}

TEST(Optimizer, GroupsHaveTheirOwnRateAndDecay) {
  Tensor a = leaf({1}), b = leaf({1});
  SGD sgd({ParameterGroup{.parameters = {{"a", a}}},
           ParameterGroup{.parameters = {{"b", b}}, .learning_rate = 0.5, .weight_decay = 0.25}},
          {.learning_rate = 0.1});
  a.set_grad(vector_of({1}));
  b.set_grad(vector_of({1}));
  sgd.step();
  expect_near(values(a), {0.9}, 1e-15);
  expect_near(values(b), {1 - 0.5 * 1.25}, 1e-15);
}

TEST(Optimizer, AParameterWithoutAGradientStays) {
  Tensor a = leaf({1}), b = leaf({1});
  Adam adam({a, b}, {.learning_rate = 0.1});
  a.set_grad(vector_of({1}));
  adam.step();
  EXPECT_EQ(values(b)[0], 1);
  EXPECT_FALSE(adam.state_dict().contains("1.mean"));
  // Its first update, when it comes, has the corrections of a first step.
  b.set_grad(vector_of({3}));
  adam.step();
  expect_near(values(b), {0.9}, 1e-7);
  expect_near(values(a), {0.8}, 1e-7);
}

TEST(Optimizer, ZeroGradLeavesNoGradient) {
  Tensor a = leaf({1});
  a.set_grad(vector_of({1}));
  SGD sgd({a});
  sgd.zero_grad();
  EXPECT_FALSE(a.grad().defined());
}

TEST(Optimizer, StridedAndBroadcastGradientsAreRead) {
  Tensor p = from_vector(std::vector<double>{1, 2, 3, 4}, {2, 2}).set_requires_grad();
  p.set_grad(from_vector(std::vector<double>{1, 2, 3, 4}, {2, 2}).transpose(0, 1));
  SGD({p}, {.learning_rate = 1}).step();
  expect_near(values(p), {0, -1, 1, 0});
  p.set_grad(vector_of({5}).expand({2, 2}));
  SGD({p}, {.learning_rate = 1}).step();
  expect_near(values(p), {-5, -6, -4, -5});
}

TEST(Optimizer, AnUpdateCountsAsAWrite) {
  Tensor p = leaf({1, 2});
  Tensor loss = p * p;
  p.set_grad(vector_of({1, 1}));
  SGD({p}).step();
  EXPECT_FAILS(backward(loss, vector_of({1, 1})), "'SGD' at optimizer_test.cpp:.* has overwritten");
}

TEST(Optimizer, ResultsDoNotDependOnTheThreadCount) {
  auto run = [](int threads) {
    int before = thread_count();
    set_thread_count(threads);
    Generator generator(7);
    Tensor p = rand({100'003}, -1, 1, DType::f32, &generator).set_requires_grad();
    AdamW adam({p}, {.weight_decay = 0.1});
    for (int i = 0; i < 3; ++i) {
      p.set_grad(rand({100'003}, -1, 1, DType::f32, &generator));
      clip_grad_norm({p}, 1);
      adam.step();
    }
    set_thread_count(before);
    return p.to_vector<float>();
  };
  EXPECT_EQ(run(1), run(4));
}

TEST(Optimizer, StateContinuesToTheSameBits) {
  auto updates = [](Optimizer& optimizer, std::vector<Tensor>& parameters, int from, int to) {
    for (int step = from; step < to; ++step) {
      set_gradients(parameters, step);
      optimizer.step();
    }
  };
  auto check = [&]<class O, class Options>(std::type_identity<O>, const Options& options) {
    std::vector<Tensor> whole = start(DType::f32), parts = start(DType::f32);
    O uninterrupted(whole, options), first(parts, options);
    updates(uninterrupted, whole, 0, 6);
    updates(first, parts, 0, 3);
    std::vector<Tensor> again;
    for (Tensor& p : parts) again.push_back(p.detach().clone().set_requires_grad());
    O second(again, options);
    second.load_state_dict(first.state_dict(), json::parse(first.numbers().dump()));
    updates(second, again, 3, 6);
    for (size_t g = 0; g < whole.size(); ++g) EXPECT_EQ(values(whole[g]), values(again[g]));
  };
  check(std::type_identity<SGD>(), SGDOptions{.learning_rate = 0.1, .momentum = 0.9});
  check(std::type_identity<AdamW>(), AdamOptions{.learning_rate = 0.01});
  check(std::type_identity<RMSprop>(), RMSpropOptions{.momentum = 0.9, .centered = true});
}

TEST(Optimizer, AStateThatDoesNotFitIsRefusedWhole) {
  std::vector<Tensor> a = start(DType::f32), b = start(DType::f32);
  Adam adam(a), other(b);
  set_gradients(a, 0);
  adam.step();
  StateDict state = adam.state_dict();
  state.erase("0.mean");
  state["1.square"] = vector_of({1, 2, 3});
  state["2.mean"] = vector_of({1});
  std::string message = error_of([&] { other.load_state_dict(state, adam.numbers()); });
  EXPECT_NE(message.find("'0.mean' is missing"), message.npos) << message;
  EXPECT_NE(message.find("'1.square' is f64[3], its parameter f32[2]"), message.npos) << message;
  EXPECT_NE(message.find("'2.mean' (f64[1]) is unknown here"), message.npos) << message;
  EXPECT_TRUE(other.state_dict().empty());
  EXPECT_FAILS(SGD(b).load_state_dict({}, adam.numbers()), "the optimizer is .Adam., here SGD");
}

TEST(Optimizer, AModelConvertedUnderItIsAnError) {
  struct One : Module {
    Tensor a = add_parameter("a", vector_of({1, 2, 3}).to(DType::f32));
  } model;
  Adam adam(model.named_parameters());
  MovingAverage average(model);
  model.a.set_grad(vector_of({1, 1, 1}).to(DType::f32));
  adam.step();
  model.to(DType::f64);
  model.a.set_grad(vector_of({1, 1, 1}));
  EXPECT_FAILS(adam.step(), "'a' has become f64\\[3\\] .* state is f32");
  EXPECT_FAILS(average.update(), "'a' has become f64\\[3\\], while its average is f32");
}

TEST(Optimizer, BadParametersAreErrors) {
  Tensor a = leaf({1});
  EXPECT_FAILS(SGD(std::vector<Tensor>{}), "no parameters");
  EXPECT_FAILS(SGD({a, a}), "given twice");
  EXPECT_FAILS(SGD({from_vector(std::vector<int64_t>{1}, {1})}), "i64\\[1\\]");
  EXPECT_FAILS(SGD({a}, {.nesterov = true}), "Nesterov needs momentum");
}

}  // namespace
}  // namespace strata::test
