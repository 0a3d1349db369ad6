// Saliency, SmoothGrad, Grad-CAM, capture and units on networks whose answers are known.
#include "tools/introspect/attribution/gradient.h"

#include <gtest/gtest.h>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "tools/introspect/capture.h"
#include "tools/introspect/units/excitation.h"

namespace strata::introspect {
namespace {

Tensor random(const Dims& shape, uint64_t seed) {
  Generator generator(seed);
  return randn(shape, 0, 1, DType::f64, &generator);
}

// conv3x3 + relu (named "features") -> mean over the map -> linear head without bias.
struct TinyCam {
  Tensor kernel = random({5, 3, 3, 2}, 1), head = random({4, 5}, 2);
  Tensor features(const Tensor& x) const {
    return ActivationObserver::emit("features", relu(conv2d(x, kernel, {}, {.padding = 1})));
  }
  Tensor operator()(const Tensor& x) const { return linear(mean(features(x), {1, 2}), head); }
};

TEST(Saliency, OfALinearModelIsItsWeight) {
  Tensor weight = random({3, 2 * 2 * 1}, 3);
  Scores model = [&](const Tensor& x) { return linear(x.flatten(1), weight); };
  Tensor x = random({2, 2, 2, 1}, 4);
  Tensor saliency = gradient_saliency(model, x, {2, 0});
  Tensor expected = stack({weight.select(0, 2), weight.select(0, 0)}).reshape(x.shape());
  EXPECT_EQ(max(abs(saliency - expected)).item(), 0);
}

TEST(Saliency, OfABiasFreeReluNetworkSumsToItsScore) {
  TinyCam model;
  Tensor x = random({3, 6, 6, 2}, 5);
  Tensor scores = model(x);
  Tensor total = sum(gradient_saliency(model, x, {1, 1, 1}) * x, {1, 2, 3});
  EXPECT_LT(max(abs(total - scores.select(1, 1))).item(), 1e-12);
}

TEST(SmoothGrad, WithoutNoiseIsTheGradientAndOfALinearModelAlways) {
  TinyCam model;
  Tensor x = random({2, 6, 6, 2}, 6);
  Tensor plain = gradient_saliency(model, x, {0, 3});
  Tensor still = smooth_grad(model, x, {0, 3}, {.samples = 4, .noise = 0});
  EXPECT_LT(max(abs(plain - still)).item(), 1e-12);
  Tensor noisy = smooth_grad(model, x, {0, 3}, {.samples = 4, .noise = 0.5});
  EXPECT_GT(max(abs(plain - noisy)).item(), 1e-3);
}

TEST(GradCam, WithGlobalPoolingAndALinearHeadIsCam) {
  TinyCam model;
  Tensor x = random({2, 6, 6, 2}, 7);
  Tensor cam = grad_cam(model, x, {3, 1}, "features", false) * 36.0;
  Tensor maps = model.features(x);
  Tensor weights = stack({model.head.select(0, 3), model.head.select(0, 1)}).reshape({2, 1, 1, 5});
  EXPECT_LT(max(abs(cam - sum(maps * weights, {3}))).item(), 1e-10);
  // Summed over the map it is the score.
  EXPECT_NEAR(sum(cam.select(0, 0)).item() / 36, model(x).select(0, 0).select(0, 3).item(), 1e-10);
}

TEST(GradCam, NamesTheActivationsThereAre) {
  TinyCam model;
  try {
    grad_cam(model, random({1, 6, 6, 2}, 8), {0}, "conv9");
    FAIL() << "an unknown layer must be refused";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("conv9"), std::string::npos) << error.what();
  }
}

TEST(Capture, KeepsEveryUseAndStopsAtTheEndOfItsScope) {
  TinyCam model;
  Tensor x = random({1, 4, 4, 2}, 9);
  {
    Capture capture;
    model(x);
    model(x * 2.0);
    EXPECT_EQ(capture.names(), std::vector<std::string>{"features"});
    EXPECT_EQ(capture.every("features").size(), 2u);
    EXPECT_THROW(capture["absent"], Error);
  }
  EXPECT_FALSE(ActivationObserver::active());
}

TEST(Units, TopExcitationsFindThePlantedMaximum) {
  Tensor maps = zeros({4, 3, 5, 2});
  maps.data<float>()[((2 * 3 + 1) * 5 + 4) * 2 + 1] = 9;  // image 2, place (1, 4), unit 1
  maps.data<float>()[((0 * 3 + 2) * 5 + 0) * 2 + 1] = 5;  // image 0, place (2, 0), unit 1
  TopExcitations top(2);
  top.add(maps.slice(0, 0, 2), 0);
  top.add(maps.slice(0, 2, 4), 2);
  auto& best = top.of(1);
  ASSERT_EQ(best.size(), 2u);
  EXPECT_EQ(best[0].image, 2);
  EXPECT_EQ(best[0].row, 1);
  EXPECT_EQ(best[0].column, 4);
  EXPECT_EQ(best[1].image, 0);
  EXPECT_DOUBLE_EQ(top.percentile(1, 6), 0.75);
}

TEST(Units, ReceptiveFieldOfStackedConvolutions) {
  Tensor first = ones({1, 3, 3, 1}), second = ones({1, 5, 5, 1});
  auto layer = [&](const Tensor& x) {
    return conv2d(conv2d(x, first, {}, {.padding = 1}), second, {}, {.stride = 2, .padding = 2});
  };
  auto field = receptive_field(layer, ones({1, 16, 16, 1}));
  EXPECT_EQ(field.height, 7);  // 3 + (5 - 1)
  EXPECT_EQ(field.width, 7);
  EXPECT_EQ(field.stride_y, 2);
  auto window = field.window(4, 4);
  EXPECT_EQ(window.bottom - window.top, 7);
  EXPECT_LE(window.top, 8);
  EXPECT_GT(window.bottom, 8);
}

}  // namespace
}  // namespace strata::introspect
