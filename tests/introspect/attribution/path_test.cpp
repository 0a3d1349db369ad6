// Integrated gradients: exact on linear functions by every rule, exact on piecewise linear networks
// by their pieces, complete, and within its memory.
#include "tools/introspect/attribution/path.h"

#include <gtest/gtest.h>

#include <cmath>

#include "engine/autograd/autograd.h"
#include "engine/tensor/allocator.h"
#include "kernels/common/parallel.h"
#include "models/vision/cifar_resnet.h"
#include "models/vision/convnet.h"
#include "tests/introspect/attribution/models.h"
#include "tests/support/expect.h"
#include "tools/introspect/attribution/baseline.h"
#include "tools/introspect/attribution/linear_pieces.h"

namespace strata::introspect {
namespace {

using namespace test;
using strata::test::values;
using strata::test::vector_of;

constexpr Quadrature rules[] = {Quadrature::gauss_legendre, Quadrature::midpoint,
                                Quadrature::exact};

TEST(IntegratedGradients, EveryRuleIsExactOnALinearFunction) {
  LinearModel model;
  Tensor x = random({2, 4, 4, 2}, 1), baseline = random({4, 4, 2}, 2);
  Tensor expected = model.weights({2, 0}, x) * (x - baseline);
  for (Quadrature rule : rules) {
    for (int steps : {1, 2, 7, 50}) {
      auto result = integrated_gradients(
          model, x, {2, 0}, {.quadrature = rule, .steps = steps, .baseline = baseline});
      EXPECT_LT(largest_difference(result.attribution, expected), 1e-12);
      EXPECT_LT(largest(result.gap), 1e-12);
      EXPECT_EQ(result.gradients, rule == Quadrature::exact ? 2 : 2 * steps);
    }
  }
}

TEST(IntegratedGradients, OfAPolynomial) {
  Scores model = [](const Tensor& x) {
    return sum(square(x), {1}) + x.select(1, 0) * x.select(1, 1) * x.select(1, 2);
  };
  Tensor x = from_vector(std::vector<double>{1, 2, 3}, {1, 3});
  auto result = integrated_gradients(model, x, {}, {.steps = 2});
  EXPECT_LT(largest_difference(result.attribution, vector_of({3, 6, 11}).reshape({1, 3})), 1e-12);
}

TEST(IntegratedGradients, GaussNodesAreExactToTheirDegree) {
  for (int n : {1, 2, 3, 5, 8, 20}) {
    auto error = [&](int degree) {
      Scores model = [&](const Tensor& x) { return pow(x, degree + 1.0); };
      Tensor x = full({1, 1}, 1.5, DType::f64);
      auto result = integrated_gradients(model, x, {}, {.steps = n});
      return std::abs(result.gap[0]) / std::pow(1.5, degree + 1);
    };
    EXPECT_LT(error(2 * n - 1), 1e-12) << n;
    if (n <= 8) {
      EXPECT_GT(error(2 * n), 1e-12) << n;
    }
  }
}

TEST(IntegratedGradients, GaussLegendreRulesOfAnySize) {
  auto two = gauss_legendre(2);
  EXPECT_NEAR(two.nodes[0], 0.5 - 0.5 / std::sqrt(3.0), 1e-15);
  EXPECT_NEAR(two.weights[0], 0.5, 1e-15);
  for (int n : {1, 5, 64, 257, 1000}) {
    auto rule = gauss_legendre(n);
    double total = 0, second = 0;
    for (size_t k = 0; k < rule.nodes.size(); ++k) {
      total += rule.weights[k];
      second += rule.weights[k] * rule.nodes[k] * rule.nodes[k];
      if (k > 0) {
        EXPECT_GT(rule.nodes[k], rule.nodes[k - 1]);
      }
    }
    EXPECT_NEAR(total, 1, 1e-12) << n;
    EXPECT_NEAR(second, n == 1 ? 0.25 : 1.0 / 3, 1e-12) << n;
  }
  EXPECT_FAILS(gauss_legendre(0), "0 steps");
}

TEST(IntegratedGradients, DependOnTheFunctionNotOnItsProgram) {
  Scores one = [](const Tensor& x) {
    return relu(relu(x.select(1, 0)) - 1.0 - relu(x.select(1, 1)));
  };
  Scores other = [](const Tensor& x) {
    return relu(relu(x.select(1, 0) - 1.0) - relu(x.select(1, 1)));
  };
  Tensor x = from_vector(std::vector<double>{3, 1}, {1, 2});
  Tensor expected = vector_of({1.5, -0.5}).reshape({1, 2});
  for (const Scores& model : {one, other}) {
    auto result = integrated_gradients(model, x, {}, {.quadrature = Quadrature::exact});
    EXPECT_LT(largest_difference(result.attribution, expected), 1e-12);
  }
}

TEST(IntegratedGradients, ExactPiecesAreCompleteToRounding) {
  for (auto& f : families()) {
    if (!f.piecewise_linear) continue;
    Tensor baseline = random(f.x.slice(0, 0, 1).shape(), 9);
    auto exact = integrated_gradients(f.model, f.x, {0, 1},
                                      {.quadrature = Quadrature::exact, .baseline = baseline});
    EXPECT_LT(largest(exact.gap), 1e-12) << f.name << ": " << exact.summary();
    EXPECT_GT(exact.gradients, 20) << f.name;  // there was something to cut
    auto gauss = integrated_gradients(f.model, f.x, {0, 1}, {.steps = 50, .baseline = baseline});
    EXPECT_GT(largest(gauss.gap), 1e-8) << f.name;
    // Not only the sum: each element is what a fine rule tends to.
    auto fine = integrated_gradients(f.model, f.x, {0, 1},
                                     {.quadrature = Quadrature::midpoint,
                                      .steps = 2000,
                                      .baseline = baseline,
                                      .limit = {.examples = 600}});
    double scale = max(abs(exact.attribution)).item();
    EXPECT_LT(largest_difference(fine.attribution, exact.attribution), 2e-3 * scale) << f.name;
  }
}

TEST(IntegratedGradients, ThePiecesOfOneLayerAreItsSignChanges) {
  Tensor weight = random({40, 6}, 31), bias = random({40}, 32), head = random({1, 40}, 33);
  Scores model = [&](const Tensor& x) { return linear(relu(linear(x, weight, bias)), head); };
  Tensor x = random({1, 6}, 34);
  auto start = values(bias), end = values(linear(x, weight, bias));
  std::vector<double> expected;
  for (size_t i = 0; i < 40; ++i) {
    if (start[i] * end[i] < 0) expected.push_back(start[i] / (start[i] - end[i]));
  }
  std::sort(expected.begin(), expected.end());
  std::vector<double> found;
  auto points = [&](const std::vector<int64_t>&, const std::vector<double>& shares) {
    return x * from_vector(shares, {static_cast<int64_t>(shares.size()), 1});
  };
  visit_linear_pieces(model, points, 1, 8, 1000,
                      [&](const Stretch& piece) { found.push_back(piece.from); });
  std::sort(found.begin(), found.end());
  ASSERT_EQ(found.size(), expected.size() + 1);
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(found[i + 1], expected[i], 1e-12);
}

TEST(IntegratedGradients, ExactRefusesByNameWhatIsNotPiecewiseLinear) {
  PathOptions exact{.quadrature = Quadrature::exact};
  EXPECT_FAILS(integrated_gradients(RecurrentNetwork{}, random({1, 3, 3}, 1), {0}, exact),
               "not piecewise linear.*mul, sigmoid, tanh.*Gauss-Legendre");
  EXPECT_FAILS(integrated_gradients(AttentionNetwork{}, random({1, 6, 8}, 1), {0}, exact),
               "uses gelu, matmul, softmax, where");
  Scores chosen = [](const Tensor& x) {
    return sum(where(greater(x, scalar(0, x.dtype())), x, x * 0.0), {1});
  };
  EXPECT_FAILS(integrated_gradients(chosen, random({1, 3}, 1), {}, exact), "uses where");
  // With a mask that does not depend on x it is linear.
  Tensor mask = tril_mask(3, 3);
  Scores masked = [&](const Tensor& x) {
    return sum(where(mask, x.unsqueeze(1), scalar(0, x.dtype())).flatten(1), {1});
  };
  auto linear = integrated_gradients(masked, ones({1, 3}, DType::f64), {}, exact);
  EXPECT_EQ(values(linear.attribution), (std::vector<double>{3, 2, 1}));
  Tensor none;
  Scores training = [&](const Tensor& x) {
    return sum(batch_norm(x, none, none, none, none), {1});
  };
  EXPECT_FAILS(integrated_gradients(training, random({4, 3}, 1), {}, exact), "training mode.*eval");
  EXPECT_FAILS(integrated_gradients(ConvNetwork{}, random({1, 8, 8, 2}, 1), {0},
                                    {.quadrature = Quadrature::exact, .most_pieces = 5}),
               "more than 5 linear pieces");
}

TEST(IntegratedGradients, QuadratureIsCompleteOnEveryFamily) {
  for (auto& f : families()) {
    auto result = integrated_gradients(f.model, f.x, {0, 1}, {.steps = 100});
    EXPECT_LT(largest(result.gap), f.piecewise_linear ? 2e-2 : 1e-10)
        << f.name << ": " << result.summary();
    auto coarse = integrated_gradients(f.model, f.x, {0, 1},
                                       {.quadrature = Quadrature::midpoint, .steps = 200});
    EXPECT_LT(largest(coarse.gap), 2e-2) << f.name << ": " << coarse.summary();
  }
}

TEST(IntegratedGradients, IsDummyAndSymmetric) {
  Scores model = [](const Tensor& x) {  // symmetric in 0 and 1, without 3
    return tanh(x.select(1, 0) * x.select(1, 1)) * x.select(1, 2);
  };
  Tensor x = from_vector(std::vector<double>{0.7, 0.7, 2, 5}, {1, 4});
  auto found = values(integrated_gradients(model, x, {}).attribution);
  EXPECT_NEAR(found[0], found[1], 1e-12);
  EXPECT_EQ(found[3], 0);
  EXPECT_GT(std::abs(found[0]), 0.1);
}

TEST(IntegratedGradients, ABatchIsItsExamplesWhateverThePass) {
  for (auto& f : families()) {
    for (Quadrature rule : rules) {
      if (rule == Quadrature::exact && !f.piecewise_linear) continue;
      PathOptions options{.quadrature = rule, .steps = 11};
      Tensor whole = integrated_gradients(f.model, f.x, {1, 0}, options).attribution;
      options.limit.examples = 3;
      Tensor small = integrated_gradients(f.model, f.x, {1, 0}, options).attribution;
      Tensor second = integrated_gradients(f.model, f.x.slice(0, 1, 2), {0}, options).attribution;
      EXPECT_LT(largest_difference(whole, small), 1e-12) << f.name;
      EXPECT_LT(largest_difference(whole.slice(0, 1, 2), second), 1e-12) << f.name;
      EXPECT_GT(largest_difference(whole.slice(0, 0, 1), second), 1e-3) << f.name;
    }
  }
}

TEST(IntegratedGradients, HasTheSameBitsWithAnyNumberOfThreads) {
  int before = thread_count();
  for (Quadrature rule : rules) {
    std::vector<std::vector<double>> found;
    for (int threads : {1, 2, 5}) {
      set_thread_count(threads);
      found.push_back(values(
          integrated_gradients(ConvNetwork{}, random({2, 8, 8, 2}, 1), {0, 1}, {.quadrature = rule})
              .attribution));
    }
    EXPECT_EQ(found[0], found[1]);
    EXPECT_EQ(found[0], found[2]);
  }
  set_thread_count(before);
}

TEST(IntegratedGradients, MemoryDoesNotGrowWithTheSteps) {
  ConvNetwork model;
  Tensor x = random({4, 8, 8, 2}, 1);
  auto peak = [&](const PathOptions& options) {
    size_t before = memory::stats().active;
    memory::reset_peak();
    integrated_gradients(model, x, {0, 1, 2, 0}, options);
    return memory::stats().peak - before;
  };
  EXPECT_EQ(peak({.steps = 10, .limit = {.examples = 8}}),
            peak({.steps = 200, .limit = {.examples = 8}}));
  // With a limit in bytes a pass stays within it; the sum and the ends are beside it.
  size_t bytes = 600000, beside = 4 * 8 * 8 * 2 * 8 * 12;
  EXPECT_LT(peak({.steps = 50, .limit = {.bytes = bytes}}), bytes + beside);
  EXPECT_GT(peak({.steps = 50}), bytes + beside);
  // Nor does it with the pieces.
  int64_t pieces = 0;
  auto exact_peak = [&](double length) {
    size_t before = memory::stats().active;
    memory::reset_peak();
    pieces = integrated_gradients(model, x * length, {0, 1, 2, 0},
                                  {.quadrature = Quadrature::exact, .limit = {.examples = 8}})
                 .gradients;
    return memory::stats().peak - before;
  };
  size_t few = exact_peak(0.05);
  EXPECT_LT(pieces, 100);
  size_t many = exact_peak(20);
  EXPECT_GT(pieces, 600);
  EXPECT_EQ(few, many);
}

TEST(IntegratedGradients, OfALayer) {
  for (auto& f : families()) {
    if (std::string(f.layer).empty()) continue;
    PathOptions options{.quadrature =
                            f.piecewise_linear ? Quadrature::exact : Quadrature::gauss_legendre};
    auto result = layer_integrated_gradients(f.model, f.x, f.layer, {0, 1}, options);
    EXPECT_EQ(result.attribution.shape(), activation_of(f.model, f.x, f.layer).shape());
    EXPECT_LT(largest(result.gap), 1e-10) << f.name;
    EXPECT_GT(largest(result.scores), 0.01) << f.name;
  }
}

TEST(IntegratedGradients, OfALayerUnderALinearHeadAreItsTerms) {
  ConvNetwork model;
  Tensor x = random({1, 8, 8, 2}, 3);
  auto result = layer_integrated_gradients(model, x, "conv2", {2}, {.steps = 3});
  Tensor change = activation_of(model, x, "conv2") - activation_of(model, x * 0.0, "conv2");
  Tensor expected = change * model.head.select(0, 2) / 16.0;
  EXPECT_LT(largest_difference(result.attribution, expected), 1e-12);
}

TEST(IntegratedGradients, OfANeuronAndAChannel) {
  ConvNetwork model;
  Tensor x = random({2, 8, 8, 2}, 4);
  PathOptions exact{.quadrature = Quadrature::exact};
  Tensor units = activation_of(model, x, "conv2"), at_zero = activation_of(model, x * 0.0, "conv2");
  auto unit = integrated_gradients(units_of(model, "conv2"), x, {7, 33}, exact);
  EXPECT_NEAR(unit.scores[1], values(units.flatten(1).select(0, 1))[33], 1e-12);
  EXPECT_LT(largest(unit.gap), 1e-12);
  auto channel = integrated_gradients(channels_of(model, "conv2"), x, {3, 3}, exact);
  Tensor change = mean(units.select(3, 3) - at_zero.select(3, 3), {1, 2});
  EXPECT_LT(largest_difference(sum(channel.attribution, {1, 2, 3}), change), 1e-12);
}

TEST(Conductance, IsCompleteWhereAllFlowsThroughTheLayer) {
  for (auto& f : families()) {
    if (std::string(f.layer).empty()) continue;
    if (f.piecewise_linear) {
      auto exact = conductance(f.model, f.x, f.layer, {0, 1}, {.quadrature = Quadrature::exact});
      EXPECT_LT(largest(exact.gap), 1e-12) << f.name;
    }
    auto coarse = conductance(f.model, f.x, f.layer, {0, 1},
                              {.quadrature = Quadrature::midpoint, .steps = 100});
    EXPECT_LT(largest(coarse.gap), 2e-2) << f.name << ": " << coarse.summary();
  }
  EXPECT_FAILS(conductance(RecurrentNetwork{}, random({1, 4, 3}, 1), "hidden", {0}),
               "'hidden' is used 4 times");
}

TEST(Conductance, OfTheUnitsOfALinearLayerIsWhatFlowsThroughThem) {
  Tensor below = random({5, 6}, 41), above = random({1, 5}, 42);
  Scores model = [&](const Tensor& x) { return linear(show("middle", linear(x, below)), above); };
  Tensor x = random({1, 6}, 43);
  auto result = conductance(model, x, "middle", {}, {.steps = 4});
  EXPECT_LT(largest_difference(result.attribution, linear(x, below) * above), 1e-12);
}

TEST(IntegratedGradients, SinglePrecision) {
  ConvNetwork model;
  for (Tensor* t : {&model.kernel1, &model.bias1, &model.kernel2, &model.bias2, &model.head,
                    &model.head_bias}) {
    *t = t->to(DType::f32);
  }
  Tensor x = random({2, 8, 8, 2}, 1).to(DType::f32);
  for (Quadrature rule : rules) {
    auto result = integrated_gradients(model, x, {0, 1}, {.quadrature = rule, .steps = 200});
    EXPECT_EQ(result.attribution.dtype(), DType::f32);
    EXPECT_LT(largest(result.gap), rule == Quadrature::exact ? 1e-5 : 2e-2) << result.summary();
  }
}

TEST(IntegratedGradients, ExactOnTheModelsOfTheLibrary) {
  manual_seed(2);
  ConvNet shallow({.channels = 3, .classes = 4, .widths = {3, 4}, .halve = {1}});
  CifarResNet deep({.depth = 8, .classes = 4, .width = 2});
  Tensor x = randn({2, 8, 8, 3});
  PathOptions options{.quadrature = Quadrature::exact, .baseline = randn({8, 8, 3})};
  for (Model* model : {static_cast<Model*>(&shallow), static_cast<Model*>(&deep)}) {
    model->eval();
    Scores scores = [&](const Tensor& in) { return (*model)(in); };
    auto exact = integrated_gradients(scores, x, {0, 3}, options);
    EXPECT_LT(largest(exact.gap), 2e-6 * (1 + largest(exact.scores))) << exact.summary();
    EXPECT_GT(exact.gradients, 200) << model->kind();
    model->train();
    EXPECT_FAILS(integrated_gradients(scores, x, {0, 3}, options), "training mode.*eval");
  }
}

TEST(IntegratedGradients, SaysHowCompleteItIs) {
  auto result = integrated_gradients(LinearModel{}, random({2, 4, 4, 2}, 1), {0, 1}, {.steps = 3});
  EXPECT_NE(result.summary().find("2 examples, 6 gradients"), std::string::npos);
  EXPECT_FAILS(integrated_gradients(LinearModel{}, random({2, 4, 4, 2}, 1), {0, 1},
                                    {.baseline = random({3}, 1)}),
               R"(baseline f64\[3\] does not broadcast)");
}

TEST(Baselines, AreWhatTheySay) {
  Tensor x = random({2, 9, 9, 2}, 1);
  EXPECT_EQ(max(abs(constant_baseline(x, 0.5) - 0.5)).item(), 0);
  EXPECT_LT(largest_difference(mean_baseline(x).select(1, 4).select(1, 2), mean(x, {1, 2})), 1e-12);
  // A blur keeps what is constant, and spreads a point as the Gaussian.
  Tensor flat = constant_baseline(x, 3);
  EXPECT_LT(largest_difference(blurred_baseline(flat, 1.5), flat), 1e-12);
  Tensor point = zeros({1, 15, 15, 1}, DType::f64);
  point.data<double>()[7 * 15 + 7] = 1;
  Tensor blurred = blurred_baseline(point, 1.5);
  EXPECT_NEAR(sum(blurred).item(), 1, 1e-12);
  auto at = [&](int64_t row, int64_t column) {
    return blurred.select(1, row).select(1, column).item();
  };
  EXPECT_NEAR(at(9, 8) / at(7, 7), std::exp(-0.5 * 5 / 2.25), 1e-12);
  Tensor noise = noise_baseline(x, 3);
  EXPECT_LE(max(noise).item(), max(x).item());
  EXPECT_GE(min(noise).item(), min(x).item());
  EXPECT_LT(largest_difference(noise.slice(0, 1, 2), noise_baseline(x.slice(0, 1, 2), 3)), 1e-15);
}

}  // namespace
}  // namespace strata::introspect
