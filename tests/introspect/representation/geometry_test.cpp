// Principal components, dimension, spectra, sparsity, silhouette and slowness against closed forms.
#include "tools/introspect/representation/geometry.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/introspect/representation/clouds.h"
#include "tests/support/expect.h"
#include "tools/introspect/linear_algebra.h"
#include "tools/introspect/representation/features.h"
#include "tools/introspect/representation/similarity.h"

namespace strata::introspect {
namespace {

using test::gaussian;
using test::orthogonal;

double largest(const Tensor& x) { return max(abs(x)).item(); }

TEST(PooledFeatures, AverageCellsOfImagesAndStepsOfSequences) {
  Tensor image = arange(0, 32, 1, DType::f32).reshape({1, 4, 4, 2});
  // Cell (0, 1) of a 2 x 2 grid has rows 0 and 1, columns 2 and 3: channel 0 holds 4, 6, 12, 14.
  auto cells = pooled_features(image, 2);
  EXPECT_EQ(cells.shape(), (Dims{1, 8}));
  EXPECT_EQ(cells.select(1, 2).item(), 9);
  EXPECT_EQ(pooled_features(image, 9).shape(), (Dims{1, 32}));  // no finer than the image
  Tensor sequence = arange(0, 6, 1, DType::f64).reshape({1, 3, 2});
  EXPECT_EQ(pooled_features(sequence).to_vector<double>(), (std::vector<double>{2, 3}));
  EXPECT_FAILS(pooled_features(ones({3})), "f32\\[3\\] is not");
}

TEST(PrincipalComponents, RecoverPlantedDirectionsAndVariances) {
  // Three strong directions in 40 dimensions, with small noise.
  Tensor codes = gaussian(500, 3, 7, DType::f32) * from_values({10, 6, 3});
  Tensor directions = orthogonal(40, 8).slice(1, 0, 3).to(DType::f32);
  Tensor x =
      matmul(codes, directions.transpose(0, 1)) + gaussian(500, 40, 9, DType::f32) * 0.01 + 2.0;
  auto found = principal_components(x, 5);
  EXPECT_NEAR(found.variances[0], 100, 15);
  EXPECT_NEAR(found.variances[2], 9, 1.5);
  EXPECT_LT(found.variances[3], 0.01);
  Tensor whitened = project(x, principal_components(x, 3), true);
  Tensor covariance = matmul(whitened.transpose(0, 1), whitened) / 500.0;
  EXPECT_LT(largest(covariance - eye(3)), 1e-3);
}

TEST(PrincipalComponents, ExactOnesExplainEverythingAndDecorrelate) {
  for (auto [n, d] : {std::pair<int64_t, int64_t>{50, 6}, {12, 30}}) {
    Tensor x = matmul(gaussian(n, d, 10), gaussian(d, d, 11)) + 5.0;
    auto found = principal_components(x, std::min(d, n - 1), 0);
    double sum_of = 0;
    for (double v : found.variances) sum_of += v;
    EXPECT_NEAR(sum_of / found.total_variance, 1, 1e-10);
    Tensor whitened = project(x, found, true);
    Tensor covariance = matmul(whitened.transpose(0, 1), whitened) / static_cast<double>(n);
    EXPECT_LT(largest(covariance - eye(covariance.size(0), DType::f64)), 1e-10);
    Tensor kept = project(x, found, false);
    Tensor back = matmul(kept, found.directions.transpose(0, 1)) + found.mean;
    EXPECT_LT(largest(back - x), 1e-9);
  }
}

TEST(PrincipalComponents, EqualTheSvd) {
  Tensor x = gaussian(40, 5, 12);
  auto found = principal_components(x, 5, 0);
  ThinSvd svd = thin_svd(x - mean(x, {0}));
  for (size_t i = 0; i < 5; ++i) {
    EXPECT_NEAR(found.variances[i], svd.values[i] * svd.values[i] / 40, 1e-10);
  }
  Tensor overlap = abs(matmul(found.directions.transpose(0, 1), svd.right));
  EXPECT_LT(largest(overlap - eye(5, DType::f64)), 1e-9);
}

TEST(PrincipalComponents, RandomisedOnesAgreeWithExactOnes) {
  Tensor x = matmul(gaussian(80, 4, 13), gaussian(4, 60, 14)) + gaussian(80, 60, 15) * 0.1;
  auto exact = principal_components(x, 4, 0), randomised = principal_components(x, 4);
  strata::test::expect_near(randomised.variances, exact.variances, 1e-8);
}

TEST(EffectiveRank, OfALineAndOfAGaussian) {
  Tensor line = matmul(gaussian(50, 1, 11), gaussian(1, 9, 12));
  EXPECT_NEAR(effective_rank(gram(line)), 1, 1e-6);
  EXPECT_NEAR(participation_ratio(gram(line)), 1, 1e-9);
  // Participation ratio of n x d Gaussian data: 1 / (1/d + 1/n) = 83.3.
  EXPECT_NEAR(participation_ratio(gram(gaussian(500, 100, 13))), 1 / (1.0 / 100 + 1.0 / 500), 1.5);
}

TEST(EffectiveRank, OfEqualVariancesIsTheirNumber) {
  // Columns of an orthogonal matrix, doubled with both signs: exactly isotropic.
  Tensor q = orthogonal(6, 16), x = concatenate({q, -q});
  EXPECT_NEAR(effective_rank(gram(x)), 6, 1e-9);
  EXPECT_NEAR(participation_ratio(gram(x)), 6, 1e-9);
}

TEST(NumericalRank, CountsDirections) {
  Tensor x = matmul(gaussian(30, 4, 17), gaussian(4, 12, 18));
  EXPECT_EQ(numerical_rank(gram(x)), 4);
  EXPECT_EQ(numerical_rank(gram(x.to(DType::f32))), 4);
  EXPECT_EQ(numerical_rank(gram(gaussian(30, 12, 19))), 12);
  Tensor faint = concatenate({gaussian(30, 2, 20), gaussian(30, 1, 21) * 1e-3}, 1);
  EXPECT_EQ(numerical_rank(gram(faint)), 3);
  EXPECT_EQ(numerical_rank(gram(faint), 1e-4), 2);
}

TEST(Spectrum, NoiseStaysWithinTheMarchenkoPasturEdges) {
  auto edges = marchenko_pastur(800, 200);
  EXPECT_NEAR(edges.low, 0.25, 1e-12);
  EXPECT_NEAR(edges.high, 2.25, 1e-12);
  auto values = covariance_spectrum(gaussian(800, 200, 22));
  ASSERT_EQ(values.size(), 200u);
  // The extreme eigenvalues fluctuate by n^(-2/3).
  EXPECT_NEAR(values.front(), edges.high, 0.08);
  EXPECT_NEAR(values.back(), edges.low, 0.04);
  // A planted direction of variance 9 stands at 9 (1 + (d/n) / 8), outside (Baik and Silverstein
  // 2006).
  Tensor x = gaussian(800, 200, 23);
  x = concatenate({x.slice(1, 0, 1) * 3.0, x.slice(1, 1, 200)}, 1);
  auto spiked = covariance_spectrum(x);
  EXPECT_NEAR(spiked[0], 9 * (1 + 0.25 / 8), 1.0);
  EXPECT_LT(spiked[1], edges.high + 0.08);
}

TEST(Spectrum, WideAndTallFormsAgree) {
  Tensor x = gaussian(9, 20, 24);
  ThinSvd svd = thin_svd(x - mean(x, {0}));
  auto values = covariance_spectrum(x);
  ASSERT_EQ(values.size(), 9u);
  for (size_t i = 0; i < 8; ++i) EXPECT_NEAR(values[i], svd.values[i] * svd.values[i] / 9, 1e-10);
}

TEST(TwoNearest, GivesTheDimensionOfUniformCubes) {
  // Known: about 2.03 in 2, 4.75 in 5, 8.6 in 10 dimensions (the bias at edges).
  Generator generator(25);
  auto cube = [&](int64_t d) { return rand({1000, d}, 0, 1, DType::f64, &generator); };
  EXPECT_NEAR(two_nearest_dimension(cube(2)), 2.03, 0.2);
  EXPECT_NEAR(two_nearest_dimension(cube(5)), 4.75, 0.4);
  EXPECT_NEAR(two_nearest_dimension(cube(10)), 8.6, 0.7);
}

TEST(TwoNearest, SeesThroughEmbeddingsAndDuplicates) {
  Generator generator(26);
  Tensor plane = rand({600, 2}, 0, 1, DType::f64, &generator);
  double expected = two_nearest_dimension(plane);
  Tensor embedded = matmul(plane, orthogonal(30, 27).slice(0, 0, 2)) * 7.0 + 3.0;
  EXPECT_NEAR(two_nearest_dimension(embedded), expected, 1e-6);
  Tensor curved = concatenate({embedded, square(plane.slice(1, 0, 1))}, 1);
  EXPECT_NEAR(two_nearest_dimension(curved), 2, 0.25);
  Tensor doubled = concatenate({plane, plane.slice(0, 0, 50)});
  EXPECT_NEAR(two_nearest_dimension(doubled), expected, 0.25);
  EXPECT_FAILS(two_nearest_dimension(ones({20, 2})), "0 rows without a duplicate");
}

TEST(Silhouette, MatchesAHandCalculation) {
  // On a line: 0, 1 of class 0; 4, 6 of class 1.
  Tensor x = from_vector(std::vector<double>{0, 1, 4, 6}, {4, 1});
  double expected = ((5 - 1) / 5.0 + (4 - 1) / 4.0 + (3.5 - 2) / 3.5 + (5.5 - 2) / 5.5) / 4;
  EXPECT_NEAR(silhouette(x, {7, 7, 3, 3}), expected, 1e-12);
  EXPECT_LT(silhouette(x, {0, 1, 0, 1}), 0);
}

TEST(Silhouette, IsHighForFarClassesAndZeroForNone) {
  auto far = test::two_clouds(700, 3, 40, 28), none = test::two_clouds(700, 3, 0, 29);
  EXPECT_GT(silhouette(far.x, far.labels), 0.9);
  EXPECT_NEAR(silhouette(none.x, none.labels), 0, 0.01);
  EXPECT_NEAR(silhouette(far.x.to(DType::f32), far.labels), silhouette(far.x, far.labels), 1e-5);
  EXPECT_FAILS(silhouette(far.x, std::vector<int64_t>(700, 1)), "of 1 classes");
}

TEST(Sparsity, HoyerIsZeroForConstantAndOneForOneHot) {
  EXPECT_NEAR(hoyer_sparsity(ones({4, 16})), 0, 1e-6);
  EXPECT_NEAR(hoyer_sparsity(eye(16)), 1, 1e-6);
  EXPECT_NEAR(share_of_zeros(eye(4)), 0.75, 1e-12);
}

TEST(Slowness, IsTwoForNoiseAndTheClosedFormForASine) {
  Generator generator(30);
  Tensor noise = randn({20, 500, 1}, 0, 1, DType::f64, &generator);
  // sin(w t) over whole periods: 4 sin^2(w / 2), the mean square of its change over its variance.
  double w = 2 * M_PI / 50;
  std::vector<double> wave;
  for (int i = 0; i < 20 * 500; ++i) wave.push_back(std::sin(w * (i % 500)));
  Tensor constant = ones({20, 500, 1}, DType::f64);
  Tensor x = concatenate({noise, from_vector(wave, {20, 500, 1}), constant}, 2);
  auto values = slowness(x).to_vector<double>();
  EXPECT_NEAR(values[0], 2, 0.06);
  EXPECT_NEAR(values[1], 4 * std::sin(w / 2) * std::sin(w / 2), 0.01 * values[1]);
  EXPECT_EQ(values[2], 0);
}

}  // namespace
}  // namespace strata::introspect
