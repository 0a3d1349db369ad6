// Gradients, their moments under noise, and the layer and neuron variants, where they are known.
#include "tools/introspect/attribution/gradient.h"

#include <gtest/gtest.h>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "engine/tensor/allocator.h"
#include "tests/introspect/attribution/models.h"
#include "tests/support/expect.h"

namespace strata::introspect {
namespace {

using namespace test;
using strata::test::values;

TEST(Gradient, OfALinearModelIsItsWeight) {
  LinearModel model;
  Tensor x = random({2, 4, 4, 2}, 4), weight = model.weights({2, 0}, x);
  EXPECT_EQ(largest_difference(gradient_saliency(model, x, {2, 0}), weight), 0);
  EXPECT_EQ(largest_difference(gradient_times_input(model, x, {2, 0}), weight * x), 0);
  for (double noise : {0.0, 0.5}) {
    auto moments =
        noisy_gradient_moments(model, x, {2, 0}, {.samples = 5, .noise = noise, .seed = 3});
    EXPECT_LT(largest_difference(moments.mean, weight), 1e-12);
    EXPECT_LT(largest_difference(moments.squared, square(weight)), 1e-12);
    EXPECT_LT(max(abs(moments.variance)).item(), 1e-24);
  }
}

TEST(Gradient, OfABiasFreeReluNetworkTimesInputSumsToItsScore) {
  ConvNetwork model{.biased = false};
  Tensor x = random({3, 8, 8, 2}, 5), scores = model(x);
  Tensor total = sum(gradient_times_input(model, x, {1, 1, 1}), {1, 2, 3});
  EXPECT_LT(largest_difference(total, scores.select(1, 1)), 1e-12);
  EXPECT_GT(max(abs(total)).item(), 0.01);
}

TEST(Gradient, IsTheSameInsideALinearPiece) {
  for (auto& f : families()) {
    if (!f.piecewise_linear) continue;
    Tensor near = f.x + random(f.x.shape(), 6, 1e-9);
    Tensor here = gradient_saliency(f.model, f.x, {0, 1});
    EXPECT_LT(largest_difference(here, gradient_saliency(f.model, near, {0, 1})), 1e-12) << f.name;
    Tensor far = gradient_saliency(f.model, f.x + random(f.x.shape(), 6, 1), {0, 1});
    EXPECT_GT(largest_difference(here, far), 1e-3) << f.name;
  }
}

TEST(Gradient, MatchesDifferencesOnEveryFamily) {
  for (auto& f : families()) {
    Tensor direction = random(f.x.shape(), 7, 1e-6);
    Tensor slope = sum((gradient_saliency(f.model, f.x, {0, 1}) * direction).flatten(1), {1});
    auto above = scores_of(f.model, f.x + direction, {0, 1});
    auto below = scores_of(f.model, f.x - direction, {0, 1});
    for (size_t n = 0; n < 2; ++n) {
      EXPECT_NEAR(values(slope)[n], (above[n] - below[n]) / 2, 1e-5 * std::abs(values(slope)[n]))
          << f.name;
    }
  }
}

TEST(Gradient, ABatchIsItsExamples) {
  for (auto& f : families()) {
    Tensor one = f.x.slice(0, 1, 2);
    Tensor whole = gradient_saliency(f.model, f.x, {1, 0});
    EXPECT_LT(largest_difference(whole.slice(0, 1, 2), gradient_saliency(f.model, one, {0})), 1e-12)
        << f.name;
    auto moments = noisy_gradient_moments(f.model, f.x, {1, 0}, {.samples = 4});
    auto alone = noisy_gradient_moments(f.model, one, {0}, {.samples = 4});
    EXPECT_LT(largest_difference(moments.mean.slice(0, 1, 2), alone.mean), 1e-12) << f.name;
    EXPECT_LT(largest_difference(moments.variance.slice(0, 1, 2), alone.variance), 1e-12);
  }
}

TEST(SmoothGrad, MomentsAreThoseOfItsSamples) {
  // f = sum x^3 / 3 in one dimension: the gradient is x^2, so E = x^2 + s^2 and
  // Var = 4 x^2 s^2 + 2 s^4 for noise of deviation s.
  Scores model = [](const Tensor& x) { return sum(x * x * x, {1}) / 3.0; };
  Tensor x = from_vector(std::vector<double>{0.5, 1.5}, {1, 2});  // range 1
  int samples = 40000;
  double s = 0.3;
  SmoothGradOptions options{.samples = samples, .noise = s};
  auto moments = noisy_gradient_moments(model, x, {}, options);
  for (size_t i = 0; i < 2; ++i) {
    double v = values(x)[i], mean = v * v + s * s, variance = 4 * v * v * s * s + 2 * s * s * s * s;
    EXPECT_NEAR(values(moments.mean)[i], mean, 4 * std::sqrt(variance / samples));
    EXPECT_NEAR(values(moments.variance)[i], variance, 0.05 * variance);
    EXPECT_NEAR(values(moments.squared)[i], variance + mean * mean,
                0.05 * (variance + mean * mean));
  }
  options.samples = 3;
  EXPECT_EQ(largest_difference(smooth_grad(model, x, {}, options),
                               noisy_gradient_moments(model, x, {}, options).mean),
            0);
  EXPECT_EQ(largest_difference(smooth_grad_squared(model, x, {}, options),
                               noisy_gradient_moments(model, x, {}, options).squared),
            0);
  EXPECT_EQ(largest_difference(var_grad(model, x, {}, options),
                               noisy_gradient_moments(model, x, {}, options).variance),
            0);
}

TEST(SmoothGrad, WithoutNoiseIsTheGradient) {
  ConvNetwork model;
  Tensor x = random({2, 8, 8, 2}, 6), plain = gradient_saliency(model, x, {0, 2});
  Tensor still = smooth_grad(model, x, {0, 2}, {.samples = 4, .noise = 0});
  EXPECT_LT(largest_difference(plain, still), 1e-12);
  Tensor noisy = smooth_grad(model, x, {0, 2}, {.samples = 4, .noise = 0.5});
  EXPECT_GT(largest_difference(plain, noisy), 1e-3);
}

TEST(SmoothGrad, MemoryDoesNotGrowWithTheSamples) {
  ConvNetwork model;
  Tensor x = random({4, 8, 8, 2}, 1);
  auto peak = [&](int samples) {
    memory::reset_peak();
    size_t before = memory::stats().active;
    var_grad(model, x, {0, 1, 2, 0}, {.samples = samples});
    return memory::stats().peak - before;
  };
  EXPECT_EQ(peak(5), peak(50));
}

TEST(Gradient, OfALayerAndOfANeuron) {
  ConvNetwork model;
  Tensor x = random({2, 8, 8, 2}, 8);
  // With respect to conv2, whose mean meets a linear head: the head's row over the 16 places.
  Tensor a = activation_of(model, x, "conv2");
  Tensor layer = gradient_saliency(from_layer(model, x, "conv2"), a, {2, 0});
  Tensor rows = stack({model.head.select(0, 2), model.head.select(0, 0)}).reshape({2, 1, 1, 5});
  EXPECT_LT(largest_difference(layer, (rows / 16.0).expand(a.shape())), 1e-12);
  // Of one unit of conv1: its kernel where the unit is on, inside the image.
  Tensor units = activation_of(model, x, "conv1");
  int64_t row = 3, column = 4, on = -1;
  for (int64_t c = 0; c < 4; ++c) {
    if (units.select(0, 0).select(0, row).select(0, column).select(0, c).item() > 0) on = c;
  }
  ASSERT_GE(on, 0);
  Tensor neuron =
      gradient_saliency(units_of(model, "conv1"), x.slice(0, 0, 1), {(row * 8 + column) * 4 + on});
  Tensor kernel = model.kernel1.select(0, on);
  Tensor window = neuron.select(0, 0).slice(0, row - 1, row + 2).slice(1, column - 1, column + 2);
  EXPECT_LT(largest_difference(window, kernel), 1e-12);
  EXPECT_NEAR(sum(abs(neuron)).item(), sum(abs(kernel)).item(), 1e-12);
  // Of a channel's mean: the average of its units'.
  Tensor channel = gradient_saliency(channels_of(model, "conv2"), x, {1, 1});
  Tensor mean_of_units = zeros_like(channel);
  for (int64_t place = 0; place < 16; ++place) {
    int64_t unit = place * 5 + 1;
    mean_of_units = mean_of_units + gradient_saliency(units_of(model, "conv2"), x, {unit, unit});
  }
  EXPECT_LT(largest_difference(channel, mean_of_units / 16.0), 1e-12);
}

TEST(Gradient, WorksWhereTheCallerTurnedGradientsOff) {
  NoGrad off;
  Tensor x = random({2, 4, 4, 2}, 4);
  LinearModel model;
  EXPECT_EQ(largest_difference(gradient_saliency(model, x, {1, 1}), model.weights({1, 1}, x)), 0);
  Scores constant = [](const Tensor& in) { return zeros({in.size(0)}, DType::f64); };
  EXPECT_EQ(max(abs(gradient_saliency(constant, x, {}))).item(), 0);
}

TEST(Gradient, SaysWhatDoesNotFit) {
  Tensor x = random({2, 4, 4, 2}, 4);
  EXPECT_FAILS(gradient_saliency(LinearModel{}, x, {0}),
               R"(scores f64\[2,3\] do not match 1 targ)");
  EXPECT_FAILS(gradient_saliency(LinearModel{}, x, {0, 3}), "target 3 is outside the 3 scores");
  EXPECT_FAILS(gradient_saliency(LinearModel{}, x, {}), "not one number an example: give targets");
  EXPECT_FAILS(smooth_grad(LinearModel{}, x, {0, 1}, {.samples = 0}), "0 samples");
  EXPECT_FAILS(gradient_saliency(units_of(ConvNetwork{}, "conv9"), random({1, 8, 8, 2}, 1), {0}),
               "conv9");
}

TEST(Gradient, SaliencyMapIsTheLargestMagnitudeOverChannels) {
  Tensor x = from_vector(std::vector<double>{1, -3, 2, 0.5}, {1, 1, 2, 2});
  EXPECT_EQ(values(saliency_map(x)), (std::vector<double>{3, 2}));
}

}  // namespace
}  // namespace strata::introspect
