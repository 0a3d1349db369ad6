// The bases are orthonormal, any parametrisation fits any picture, colours come from the data.
#include "tools/introspect/units/parametrisation.h"

#include <gtest/gtest.h>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "tests/introspect/networks.h"
#include "tests/support/expect.h"
#include "tools/introspect/units/stimulus.h"

namespace strata::introspect {
namespace {

using namespace test;

StimulusSpace plain_space(int64_t height, int64_t width, int64_t channels) {
  return {height, width, channels, zeros({channels}), ones({channels}), {}};
}

TEST(Basis, IsOrthonormal) {
  for (int64_t n : {1, 2, 7, 12, 13}) {
    for (Tensor basis : {cosine_basis(n, DType::f64), fourier_basis(n, DType::f64)}) {
      Tensor product = matmul(basis, basis.transpose(0, 1));
      EXPECT_LT(largest_difference(product, eye(n, DType::f64)), 1e-12) << n;
    }
  }
}

TEST(Basis, FourierRowsAreWavesOfOneFrequency) {
  // Shifting by one pixel turns cosine and sine of p periods into each other by 2 pi p / n: the
  // pair's span stays, and no other wave enters.
  int64_t n = 8;
  Tensor basis = fourier_basis(n, DType::f64);
  Tensor shifted = matmul(roll(basis, {1}, {1}), basis.transpose(0, 1));
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      if ((i + 1) / 2 == (j + 1) / 2) continue;
      EXPECT_LT(std::abs(shifted.select(0, i).select(0, j).item()), 1e-12) << i << " " << j;
    }
  }
}

TEST(Painter, ParsevalAndScaleOfTheConstant) {
  for (Basis basis : {Basis::cosine, Basis::fourier}) {
    Painter painter(plain_space(6, 10, 3), basis, 0, DType::f64);
    Tensor z = random({2, 6, 10, 3}, 1);
    Tensor plane = painter.plane(z);
    // Without decay every wave is scaled by sqrt(H W), so energies are those of z times H W.
    EXPECT_NEAR(sum(square(plane)).item(), 60 * sum(square(z)).item(), 1e-9);
    // The first coefficient is the constant: scaled by sqrt(H W) and spread by 1/sqrt(H W), every
    // pixel is the coefficient itself.
    Tensor constant = zeros({1, 6, 10, 3}, DType::f64);
    fill_(constant.slice(1, 0, 1).slice(2, 0, 1), 0.7);
    EXPECT_LT(max(abs(painter.plane(constant) - 0.7)).item(), 1e-12);
  }
}

TEST(Painter, HighWavesAreScaledDown) {
  Painter painter(plain_space(8, 8, 1), Basis::cosine, 1, DType::f64);
  auto energy = [&](int64_t row, int64_t column) {
    Tensor z = zeros({1, 8, 8, 1}, DType::f64);
    fill_(z.slice(1, row, row + 1).slice(2, column, column + 1), 1);
    return std::sqrt(sum(square(painter.plane(z))).item());
  };
  EXPECT_NEAR(energy(0, 1), 8, 1e-12);
  EXPECT_NEAR(energy(0, 4), 8.0 / 4, 1e-12);
  EXPECT_NEAR(energy(3, 4), 8.0 / 5, 1e-12);
}

TEST(Painter, CoefficientsPaintTheirImage) {
  Generator generator(2);
  Tensor image = rand({2, 7, 5, 3}, 0.05, 0.95, DType::f64, &generator);
  StimulusSpace space = plain_space(7, 5, 3);
  space.colour = from_vector(std::vector<float>{2, .5f, 0, .5f, 1, 0, 0, 0, 1}, {3, 3});
  for (Basis basis : {Basis::pixels, Basis::cosine, Basis::fourier}) {
    Painter painter(space, basis, 1, DType::f64);
    EXPECT_LT(largest_difference(painter.paint(painter.coefficients_of(image)), image), 1e-10);
  }
}

TEST(Painter, AscentFitsAnyPictureInEveryParametrisation) {
  // Lucid's own test: the mean error of a fitted picture is below .01, from noise.
  Generator generator(3);
  Tensor target = rand({1, 12, 12, 3}, 0.1, 0.9, DType::f32, &generator);
  for (Basis basis : {Basis::pixels, Basis::cosine, Basis::fourier}) {
    StimulusOptions options;
    options.steps = 400;
    options.jitter = 0;
    options.basis = basis;
    options.total_variation = options.shrink = 0;
    auto fit = [&](const Tensor& x) { return -sum(square(x - target), {1, 2, 3}); };
    auto found = optimal_stimuli(fit, plain_space(12, 12, 3), 1, options);
    EXPECT_LT(mean(abs(found.images - target)).item(), 0.01) << static_cast<int>(basis);
  }
}

TEST(StimulusSpace, ColoursComeFromTheData) {
  Generator generator(7);
  Tensor grey = rand({50, 4, 4, 1}, 0, 1, DType::f32, &generator).expand({50, 4, 4, 3});
  auto space = stimulus_space(grey.contiguous(), zeros({3}), ones({3}));
  // Perfectly correlated channels: the root maps everything to (nearly) grey.
  Tensor red = matmul(from_vector(std::vector<float>{1, 0, 0}, {1, 3}), space.colour);
  auto mixed = red.to_vector<double>();
  EXPECT_NEAR(mixed[0], mixed[1], 0.15);
  EXPECT_NEAR(mixed[1], mixed[2], 1e-4);
}

TEST(Painter, RefusesAnEmptySpace) {
  EXPECT_FAILS(Painter(plain_space(0, 4, 1), Basis::cosine, 1), "0 x 4 pixels");
}

}  // namespace
}  // namespace strata::introspect
