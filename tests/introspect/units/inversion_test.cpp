// Feature inversion: what an invertible layer holds comes back, what a layer drops does not.
#include "tools/introspect/units/inversion.h"

#include <gtest/gtest.h>

#include "engine/ops.h"
#include "tests/introspect/networks.h"
#include "tests/support/expect.h"

namespace strata::introspect {
namespace {

using namespace test;

StimulusSpace space_of(int64_t height, int64_t width, int64_t channels) {
  return {height, width, channels, zeros({channels}), ones({channels}), {}};
}
Tensor picture(const Dims& shape, uint64_t seed) {
  Generator generator(seed);
  return rand(shape, 0.1, 0.9, DType::f64, &generator);
}
InversionOptions exact(Basis basis) {
  InversionOptions options;
  options.ascent.basis = basis;
  options.ascent.steps = 600;
  options.ascent.total_variation = 0;
  options.ascent.dtype = DType::f64;
  return options;
}
Tensor activation(const Scores& model, const Tensor& x, const std::string& layer) {
  Capture capture({layer});
  model(x);
  return capture[layer].detach();
}

TEST(Inversion, OfAnInvertibleLayerRecoversTheInput) {
  // A random invertible mix of channels, then of rows.
  Tensor mix = random({3, 3}, 1) + eye(3, DType::f64) * 2.0;
  Tensor rows = random({6, 6}, 2, 0.2) + eye(6, DType::f64);
  Scores model = [&](const Tensor& x) {
    Tensor mixed = matmul(x, mix).permute({0, 3, 1, 2});
    return mean(show("mixed", matmul(rows, mixed)), {2, 3});
  };
  Tensor x = picture({2, 6, 6, 3}, 3);
  for (Basis basis : {Basis::pixels, Basis::cosine, Basis::fourier}) {
    auto found = invert_features(model, "mixed", activation(model, x, "mixed"), space_of(6, 6, 3),
                                 exact(basis));
    EXPECT_LT(mean(abs(found.images - x)).item(), 0.01) << static_cast<int>(basis);
    for (double error : found.error) EXPECT_LT(error, 1e-3);
  }
}

TEST(Inversion, OfAMeanKeepsTheMeanAlone) {
  Scores model = [](const Tensor& x) { return show("mean", mean(x, {1, 2})); };
  Tensor x = picture({1, 6, 6, 2}, 4);
  auto found = invert_features(model, "mean", activation(model, x, "mean"), space_of(6, 6, 2),
                               exact(Basis::cosine));
  EXPECT_LT(largest_difference(mean(found.images, {1, 2}), mean(x, {1, 2})), 1e-3);
  EXPECT_GT(mean(abs(found.images - x)).item(), 0.1);
}

TEST(Inversion, MatchesTheActivationsOfAConvolutionalNetwork) {
  ConvNetwork model;
  Tensor x = picture({2, 8, 8, 2}, 5);
  for (const char* layer : {"conv1", "conv2"}) {
    auto found = invert_features(model, layer, activation(model, x, layer), space_of(8, 8, 2),
                                 exact(Basis::cosine));
    for (double error : found.error) EXPECT_LT(error, 0.01) << layer;
  }
}

TEST(Inversion, TotalVariationSmooths) {
  Scores model = [](const Tensor& x) { return show("mean", mean(x, {1, 2})); };
  Tensor x = picture({1, 8, 8, 1}, 6);
  InversionOptions rough = exact(Basis::pixels), smooth = rough;
  smooth.ascent.total_variation = 0.1;
  auto variation = [&](const InversionOptions& options) {
    auto found =
        invert_features(model, "mean", activation(model, x, "mean"), space_of(8, 8, 1), options);
    return total_variation(found.images).item();
  };
  EXPECT_LT(variation(smooth), 0.2 * variation(rough));
}

TEST(Inversion, RefusesATargetOfAnotherLayer) {
  ConvNetwork model;
  EXPECT_FAILS(invert_features(model, "conv1", random({1, 4, 4, 5}, 7), space_of(8, 8, 2)),
               R"(target f64\[1,4,4,5\] does not have the shape of 'conv1')");
}

}  // namespace
}  // namespace strata::introspect
