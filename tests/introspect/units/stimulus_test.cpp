// Activation maximisation: the basis is orthonormal, the ascent finds what is known to be best.
#include "tools/introspect/units/stimulus.h"

#include <gtest/gtest.h>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"

namespace strata::introspect {
namespace {

TEST(Stimulus, CosineBasisIsOrthonormal) {
  Tensor basis = cosine_basis(13, DType::f64);
  Tensor product = matmul(basis, basis.transpose(0, 1));
  EXPECT_LT(max(abs(product - eye(13, DType::f64))).item(), 1e-12);
}

TEST(Stimulus, OfALinearUnitHasTheSignsOfItsWeight) {
  // The best image in the unit box of w . x is 1 where w > 0 and 0 where w < 0.
  Generator generator(5);
  Tensor weight = randn({2, 12, 12, 1}, 0, 1, DType::f32, &generator);
  StimulusSpace space{12, 12, 1, from_values({0}), from_values({1}), {}};
  StimulusOptions options;
  options.steps = 300;
  options.jitter = 0;
  options.decay = options.total_variation = options.shrink = 0;
  auto found = optimal_stimuli(
      [&](const Tensor& x) {
        return sum(x * weight, {1, 2, 3});
      },
      space, 2, options);
  Tensor best = sum(relu(weight), {1, 2, 3});
  for (int64_t u = 0; u < 2; ++u) {
    EXPECT_GT(found.activation[static_cast<size_t>(u)], 0.97 * best.select(0, u).item());
  }
}

TEST(Stimulus, StartsFromAGivenImage) {
  Generator generator(6);
  Tensor start = rand({1, 8, 8, 3}, 0.1, 0.9, DType::f32, &generator);
  Tensor colour = from_vector(std::vector<float>{2, .5f, 0, .5f, 1, 0, 0, 0, 1}, {3, 3});
  StimulusSpace space{8, 8, 3, from_values({.5f, .5f, .5f}), from_values({.2f, .2f, .2f}), colour};
  StimulusOptions options;
  options.steps = 0;
  auto found = optimal_stimuli(
      [&](const Tensor& x) {
        return sum(x, {1, 2, 3});
      },
      space, 1, options, start);
  EXPECT_LT(max(abs(found.images - start)).item(), 1e-3);
}

TEST(Stimulus, ColoursComeFromTheData) {
  Generator generator(7);
  Tensor grey = rand({50, 4, 4, 1}, 0, 1, DType::f32, &generator).expand({50, 4, 4, 3});
  auto space = stimulus_space(grey.contiguous(), zeros({3}), ones({3}));
  // Perfectly correlated channels: the root maps everything to (nearly) grey.
  Tensor red = matmul(from_vector(std::vector<float>{1, 0, 0}, {1, 3}), space.colour);
  auto mixed = red.to_vector<double>();
  EXPECT_NEAR(mixed[0], mixed[1], 0.15);
  EXPECT_NEAR(mixed[1], mixed[2], 1e-4);
}

}  // namespace
}  // namespace strata::introspect
