// FullGrad: the terms add up to the score for every network, and for simple ones are known.
#include "tools/introspect/attribution/full_gradient.h"

#include <gtest/gtest.h>

#include <cmath>

#include "engine/autograd/autograd.h"
#include "models/vision/cifar_resnet.h"
#include "models/vision/convnet.h"
#include "tests/introspect/attribution/models.h"
#include "tests/support/expect.h"

namespace strata::introspect {
namespace {

using namespace test;
using strata::test::values;

TEST(FullGradient, AddsUpToTheScoreOnEveryFamily) {
  for (auto& f : families()) {
    auto terms = full_gradient(f.model, f.x, {0, 1});
    EXPECT_LT(largest(terms.gap), 1e-12) << f.name;
    EXPECT_GT(largest(terms.scores), 0.01) << f.name;
    // What it claims to add up, added up here.
    Tensor sums = sum(terms.input.flatten(1), {1});
    for (auto& term : terms.biases) sums = sums + sum(term.contribution.flatten(1), {1});
    for (size_t n = 0; n < 2; ++n) EXPECT_NEAR(values(sums)[n], terms.scores[n], 1e-12) << f.name;
  }
}

TEST(FullGradient, OfALinearModelIsItsTermsAndItsBias) {
  LinearModel model;
  Tensor x = random({2, 4, 4, 2}, 1);
  auto terms = full_gradient(model, x, {2, 0});
  EXPECT_LT(largest_difference(terms.input, model.weights({2, 0}, x) * x), 1e-12);
  ASSERT_EQ(terms.biases.size(), 1u);
  EXPECT_EQ(terms.biases[0].op, "linear");
  Tensor bias = terms.biases[0].contribution;  // [2, 3]
  EXPECT_LT(largest_difference(bias.select(0, 0).select(0, 2), model.bias.select(0, 2)), 1e-12);
  EXPECT_LT(std::abs(bias.select(0, 0).select(0, 0).item()), 1e-12);
}

TEST(FullGradient, WithoutBiasesIsGradientTimesInput) {
  ConvNetwork model{.biased = false};
  Tensor x = random({2, 8, 8, 2}, 2);
  auto terms = full_gradient(model, x, {0, 2});
  auto sums = values(sum(terms.input, {1, 2, 3}));
  for (size_t n = 0; n < 2; ++n) EXPECT_NEAR(sums[n], terms.scores[n], 1e-12);
  for (auto& term : terms.biases) EXPECT_LT(max(abs(term.contribution)).item(), 1e-12) << term.op;
}

TEST(FullGradient, FindsTheBiasThatBatchNormImplies) {
  Tensor scale = random({3}, 1), shift = random({3}, 2), mean = random({3}, 3),
         variance = abs(random({3}, 4)) + 0.1, head = random({1, 3}, 5);
  Scores model = [&](const Tensor& x) {
    return linear(batch_norm(x, scale, shift, mean, variance, {.training = false}), head);
  };
  Tensor x = random({2, 3}, 6);
  auto terms = full_gradient(model, x, {});
  ASSERT_EQ(terms.biases.size(), 1u);
  EXPECT_EQ(terms.biases[0].op, "batch_norm");
  Tensor implied = (shift - mean * scale * rsqrt(variance + 1e-5)) * head;
  EXPECT_LT(largest_difference(terms.biases[0].contribution, implied.expand({2, 3})), 1e-12);
}

TEST(FullGradient, OfTrainedShapesInSinglePrecision) {
  manual_seed(1);
  ConvNet net({.channels = 3, .classes = 4, .widths = {4, 8}, .halve = {1}});
  CifarResNet deep({.depth = 8, .classes = 4, .width = 4});
  Tensor x = randn({3, 8, 8, 3});
  for (Model* model : {static_cast<Model*>(&net), static_cast<Model*>(&deep)}) {
    for (auto& buffer : model->named_buffers()) {  // statistics that are not 0 and 1
      NoGrad off;
      add_(buffer.tensor, rand(buffer.tensor.shape(), 0, 0.3));
    }
    model->eval();
    auto terms = full_gradient([&](const Tensor& in) { return (*model)(in); }, x, {0, 1, 3});
    EXPECT_LT(largest(terms.gap), 1e-4 * (1 + largest(terms.scores))) << model->kind();
    EXPECT_GT(terms.biases.size(), 2u) << model->kind();
    EXPECT_EQ(full_gradient_map(terms).shape(), (Dims{3, 8, 8}));
  }
}

TEST(FullGradient, MapHoldsTheMagnitudesOfItsTermsAndEachExamplesOwn) {
  ConvNetwork model;
  Tensor x = random({2, 8, 8, 2}, 3);
  auto terms = full_gradient(model, x, {0, 1});
  Tensor map = full_gradient_map(terms);
  double total = sum(abs(terms.input)).item();
  for (auto& term : terms.biases) {
    if (term.contribution.rank() == 4 && term.contribution.size(1) == 8) {
      total += sum(abs(term.contribution)).item();
    }
  }
  EXPECT_GT(sum(map).item(), total);  // and the smaller maps
  Tensor alone = full_gradient_map(full_gradient(model, x.slice(0, 1, 2), {1}));
  EXPECT_LT(largest_difference(map.slice(0, 1, 2), alone), 1e-12);
  EXPECT_FAILS(full_gradient_map(full_gradient(GraphNetwork{}, random({1, 5, 3}, 1), {0})),
               "not images");
}

}  // namespace
}  // namespace strata::introspect
