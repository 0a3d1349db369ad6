// Activation maximisation finds what is known to be best.
#include "tools/introspect/units/stimulus.h"

#include <gtest/gtest.h>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "kernels/common/parallel.h"
#include "models/vision/convnet.h"
#include "tests/introspect/networks.h"
#include "tests/support/expect.h"
#include "tools/introspect/linear_algebra.h"

namespace strata::introspect {
namespace {

using namespace test;

StimulusSpace space_of(int64_t height, int64_t width, int64_t channels) {
  return {height, width, channels, zeros({channels}), ones({channels}), {}};
}
StimulusOptions ball(Range range, double radius) {
  StimulusOptions options;
  options.range = range;
  options.radius = radius;
  options.learning_rate = 1;
  options.jitter = 0;
  options.total_variation = 0;
  options.dtype = DType::f64;
  return options;
}

TEST(Stimulus, OfALinearUnitInTheEuclideanBallIsItsWeight) {
  Tensor weight = random({1, 4, 5, 2}, 1);
  auto response = [&](const Tensor& x) { return sum(x * weight, {1, 2, 3}); };
  auto found = optimal_stimuli(response, space_of(4, 5, 2), 1, ball(Range::l2_ball, 3));
  double size = norm(weight).item();
  EXPECT_LT(largest_difference(found.images, weight * (3 / size)), 1e-6);
  EXPECT_NEAR(found.activation[0], 3 * size, 1e-6);
}

TEST(Stimulus, OfALinearUnitInTheMaximumBallIsItsSigns) {
  Tensor weight = random({1, 4, 5, 2}, 2);
  auto response = [&](const Tensor& x) { return sum(x * weight, {1, 2, 3}); };
  auto found = optimal_stimuli(response, space_of(4, 5, 2), 1, ball(Range::max_ball, 1));
  EXPECT_EQ(largest_difference(found.images, sign(weight)), 0);
  EXPECT_NEAR(found.activation[0], sum(abs(weight)).item(), 1e-6);
}

TEST(Stimulus, OfAQuadraticIsTheTopEigenvector) {
  Tensor root = random({12, 12}, 3);
  Tensor a = matmul(root, root.transpose(0, 1));
  auto response = [&](const Tensor& x) {
    Tensor flat = x.reshape({x.size(0), 12});
    return sum(matmul(flat, a) * flat, {1});
  };
  StimulusOptions options = ball(Range::l2_ball, 1);
  options.learning_rate = 10;
  options.steps = 300;
  auto found = optimal_stimuli(response, space_of(3, 4, 1), 1, options);
  EigenPairs pairs = symmetric_eigen(a);
  EXPECT_NEAR(found.activation[0], pairs.values[0], 1e-6 * pairs.values[0]);
  Tensor top = pairs.vectors.select(1, 0).contiguous();
  EXPECT_NEAR(std::abs(sum(found.images.reshape({12}) * top).item()), 1, 1e-6);
}

TEST(Stimulus, AConvolutionsUnitRecoversItsFilter) {
  Tensor kernels = random({2, 3, 3, 2}, 4);
  Scores model = [&](const Tensor& x) {
    return mean(show("conv", conv2d(x, kernels, {}, {.padding = 1})), {1, 2});
  };
  auto found = optimal_stimuli(response_of(model, unit("conv", {0, 1})), space_of(7, 7, 2), 2,
                               ball(Range::l2_ball, 1));
  for (int64_t u = 0; u < 2; ++u) {
    Tensor filter = kernels.select(0, u) / norm(kernels.select(0, u)).item();
    Tensor image = found.images.select(0, u);
    EXPECT_LT(largest_difference(image.slice(0, 2, 5).slice(1, 2, 5), filter), 1e-6);
    EXPECT_NEAR(norm(image).item(), 1, 1e-9);  // so nothing lies outside the filter's window
  }
}

TEST(Stimulus, OfALinearUnitInTheBoxReachesItsBest) {
  // The best image in the unit box of w . x is 1 where w > 0 and 0 where w < 0.
  Tensor weight = random({2, 12, 12, 1}, 5).to(DType::f32);
  StimulusOptions options;
  options.steps = 300;
  options.jitter = 0;
  options.decay = options.total_variation = options.shrink = 0;
  auto found = optimal_stimuli(
      [&](const Tensor& x) {
        return sum(x * weight, {1, 2, 3});
      },
      space_of(12, 12, 1), 2, options);
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
  auto response = [&](const Tensor& x) { return sum(x, {1, 2, 3}); };
  auto found = optimal_stimuli(response, space, 1, options, start);
  EXPECT_LT(max(abs(found.images - start)).item(), 1e-3);
  EXPECT_FAILS(optimal_stimuli(response, space, 2, options, start),
               R"(start f32\[1,8,8,3\] does not have the shape \[2,8,8,3\])");
}

TEST(Stimulus, RisesOnANetworkAndRepeatsBitForBitWhateverTheThreads) {
  ConvNetwork model;
  StimulusOptions options;
  options.steps = 30;
  options.scale = 0.1;
  options.rotation = 10;
  options.dtype = DType::f64;
  auto climb = [&](int steps, uint64_t seed) {
    StimulusOptions o = options;
    o.steps = steps;
    o.seed = seed;
    return optimal_stimuli(response_of(model, class_score({0, 1, 2})), space_of(8, 8, 2), 3, o);
  };
  auto none = climb(0, 1), first = climb(30, 1), other = climb(30, 2);
  int threads = thread_count();
  set_thread_count(threads == 1 ? 3 : 1);
  auto again = climb(30, 1);
  set_thread_count(threads);
  for (size_t u = 0; u < 3; ++u) EXPECT_GT(first.activation[u], none.activation[u] + 0.1);
  EXPECT_EQ(largest_difference(first.images, again.images), 0);
  EXPECT_GT(largest_difference(first.images, other.images), 1e-3);
  EXPECT_GE(min(first.images).item(), 0);
  EXPECT_LE(max(first.images).item(), 1);
}

TEST(Stimulus, ImagesOfABatchClimbApart) {
  // What an image becomes does not depend on which others climb beside it: class 2 alone from the
  // same start as class 2 in a batch of three.
  ConvNetwork model;
  StimulusOptions options;
  options.steps = 10;
  options.total_variation = 0;  // its weight is shared by the batch
  options.dtype = DType::f64;
  Generator generator(8);
  Tensor start = rand({3, 8, 8, 2}, 0.2, 0.8, DType::f64, &generator);
  auto together = optimal_stimuli(response_of(model, class_score({0, 1, 2})), space_of(8, 8, 2), 3,
                                  options, start);
  auto alone = optimal_stimuli(response_of(model, class_score({2})), space_of(8, 8, 2), 1, options,
                               start.slice(0, 2, 3));
  EXPECT_LT(largest_difference(together.images.slice(0, 2, 3), alone.images), 1e-9);
}

TEST(Stimulus, ADeadUnitIsReachedByTheRedirectedGradient) {
  // Unit 0 of the second layer is dead at every grey image: both of its ReLUs are closed. Plain
  // ascent has no gradient; redirected, the unit is opened, and what follows is plain ascent.
  Tensor kernel = random({4, 3, 3, 1}, 9, 0.5), weight = abs(random({2, 4}, 10));
  Tensor bias = from_vector(std::vector<double>{-0.5, -0.5, -0.5, -0.5}, {4});
  Scores model = [&](const Tensor& x) {
    Tensor a = relu(conv2d(x - 0.5, kernel, bias, {.padding = 1}));
    return show("top", relu(linear(mean(a, {1, 2}), weight) - 0.02));
  };
  auto climb = [&](int redirected) {
    StimulusOptions options;
    options.redirected_steps = redirected;
    options.jitter = 0;
    options.dtype = DType::f64;
    return optimal_stimuli(response_of(model, unit("top", {0, 1})), space_of(8, 8, 1), 2, options);
  };
  auto plain = climb(0), redirected = climb(16);
  for (size_t u = 0; u < 2; ++u) {
    EXPECT_EQ(plain.activation[u], 0);
    EXPECT_GT(redirected.activation[u], 0.1);
  }
}

TEST(Stimulus, RedirectingChangesNothingWhereReLUsAreOpen) {
  // One ReLU per image that is open throughout: the rule is the gradient, bit for bit.
  Tensor weight = random({1, 4, 4, 2}, 11);
  auto response = [&](const Tensor& x) { return relu(sum(x * weight, {1, 2, 3}) + 100.0); };
  StimulusOptions options;
  options.dtype = DType::f64;
  options.redirected_steps = 0;
  auto plain = optimal_stimuli(response, space_of(4, 4, 2), 1, options);
  options.redirected_steps = 50;
  auto redirected = optimal_stimuli(response, space_of(4, 4, 2), 1, options);
  EXPECT_EQ(largest_difference(plain.images, redirected.images), 0);
}

TEST(Stimulus, ClimbsOnOneChannelAsOnThree) {
  for (int64_t channels : {1, 3}) {
    manual_seed(5);
    ConvNet model({.channels = channels, .classes = 4, .widths = {4, 8}, .halve = {1}});
    model.eval();
    StimulusSpace space{28, 28, channels, full({channels}, 0.3), full({channels}, 0.35), {}};
    auto climb = [&](int steps) {
      StimulusOptions options;
      options.steps = steps;
      Scores scores = [&](const Tensor& x) { return model(x); };
      return optimal_stimuli(response_of(scores, channel("conv2", {0, 1, 2})), space, 3, options);
    };
    auto none = climb(0), some = climb(24);
    EXPECT_EQ(some.images.shape(), (Dims{3, 28, 28, channels}));
    for (size_t u = 0; u < 3; ++u) EXPECT_GT(some.activation[u], none.activation[u]) << channels;
  }
}

TEST(TotalVariation, OfARampAndOfAConstant) {
  Tensor ramp = arange(0, 6, 1, DType::f64).reshape({1, 2, 3, 1});  // steps of 3 down, 1 across
  EXPECT_NEAR(total_variation(ramp).item(), 4, 1e-12);
  EXPECT_EQ(total_variation(ones({1, 4, 4, 2}, DType::f64)).item(), 0);
  EXPECT_EQ(total_variation(ones({1, 1, 1, 2}, DType::f64)).item(), 0);
}

}  // namespace
}  // namespace strata::introspect
