// The CCA family, Procrustes, RSA and shared neighbours against identities and null values.
#include "tools/introspect/representation/shape.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/introspect/representation/clouds.h"
#include "tests/support/expect.h"
#include "tools/introspect/linear_algebra.h"
#include "tools/introspect/representation/cca.h"

namespace strata::introspect {
namespace {

using strata::test::expect_near;
using test::gaussian;
using test::orthogonal;

TEST(Cca, IsInvariantToInvertibleAffineMaps) {
  Tensor x = gaussian(60, 4, 1), y = matmul(x, gaussian(4, 6, 2)) + gaussian(60, 6, 3);
  auto plain = canonical_correlations(x, y);
  auto mapped = canonical_correlations(matmul(x, gaussian(4, 4, 4)) + 7.0,
                                       matmul(y, gaussian(6, 6, 5)) * 100.0 - 3.0);
  expect_near(mapped.correlations, plain.correlations, 1e-9);
  EXPECT_EQ(plain.correlations.size(), 4u);
  EXPECT_EQ(plain.warning, "");
}

TEST(Cca, TwoVariablesGiveTheirCorrelation) {
  Tensor x = gaussian(200, 1, 6), y = x * -0.6 + gaussian(200, 1, 7) * 0.8;
  Tensor a = x - mean(x), b = y - mean(y);
  double rho = sum(a * b).item() / std::sqrt(sum(square(a)).item() * sum(square(b)).item());
  EXPECT_NEAR(canonical_correlations(x, y).correlations[0], std::abs(rho), 1e-12);
}

TEST(Cca, PlantedCorrelationsComeOut) {
  // y shares columns with x at correlations 1, 0.8, 0 in the population.
  Tensor x = gaussian(4000, 3, 8), noise = gaussian(4000, 3, 9);
  Tensor y = concatenate(
      {x.slice(1, 0, 1), x.slice(1, 1, 2) * 0.8 + noise.slice(1, 1, 2) * 0.6, noise.slice(1, 2, 3)},
      1);
  auto found = canonical_correlations(x, matmul(y, gaussian(3, 3, 10)));
  EXPECT_NEAR(found.correlations[0], 1, 1e-10);
  EXPECT_NEAR(found.correlations[1], 0.8, 0.02);
  EXPECT_NEAR(found.correlations[2], 0, 0.05);
  EXPECT_NEAR(found.mean, (1 + 0.8) / 3, 0.03);
}

TEST(Cca, SvdAndQrRoutesAgree) {
  Tensor x = gaussian(50, 5, 11), y = x.slice(1, 0, 3) + gaussian(50, 3, 12);
  Tensor qx = orthonormal_basis(x - mean(x, {0})), qy = orthonormal_basis(y - mean(y, {0}));
  auto qr = singular_values(matmul(qx.transpose(0, 1), qy));
  expect_near(canonical_correlations(x, y).correlations, qr, 1e-9);
  // And the eigenvalues of Sxx^-1 Sxy Syy^-1 Syx, the definition: their sum is sum rho^2.
  Tensor a = x - mean(x, {0}), b = y - mean(y, {0});
  auto product = [](const Tensor& p, const Tensor& q) { return matmul(p.transpose(0, 1), q); };
  Tensor m = matmul(matmul(inverse(product(a, a)), product(a, b)),
                    matmul(inverse(product(b, b)), product(b, a)));
  double trace = sum(m * eye(5, DType::f64)).item();
  EXPECT_NEAR(canonical_correlations(x, y).mean_squared * 3, trace, 1e-9);
}

TEST(Cca, NullMeanOfIndependentRepresentations) {
  double mean_squared = 0, stated = 0;
  for (uint64_t i = 0; i < 10; ++i) {
    auto found =
        canonical_correlations(gaussian(500, 20, 20 + 2 * i), gaussian(500, 30, 21 + 2 * i));
    mean_squared += found.mean_squared / 10;
    stated = found.null_mean_squared;
  }
  EXPECT_NEAR(stated, 30.0 / 499, 1e-12);  // 0.0601
  EXPECT_NEAR(mean_squared, stated, 0.002);
}

TEST(Cca, WarnsWhenExamplesAreTooFew) {
  // p = n - 1: every correlation is 1 between things that have nothing in common.
  auto all = canonical_correlations(gaussian(20, 19, 13), gaussian(20, 5, 14));
  expect_near(all.correlations, std::vector<double>(5, 1.0), 1e-9);
  EXPECT_NE(all.warning.find("5 of 5 correlations are 1 whatever the data"), std::string::npos)
      << all.warning;
  auto some = canonical_correlations(gaussian(20, 12, 15), gaussian(20, 10, 16));
  EXPECT_NE(some.warning.find("3 of 10"), std::string::npos) << some.warning;
  EXPECT_NEAR(some.correlations[2], 1, 1e-9);
  EXPECT_LT(some.correlations[3], 0.999);
}

TEST(Svcca, WithAShareOfOneIsCca) {
  Tensor x = gaussian(60, 6, 17), y = x + gaussian(60, 6, 18);
  expect_near(svcca(x, y, 1).correlations, canonical_correlations(x, y).correlations, 1e-12);
}

TEST(Svcca, DropsSmallDirections) {
  // Two strong shared directions, and ten weak ones that only CCA listens to.
  Tensor shared = gaussian(100, 2, 19) * 10.0;
  Tensor x = concatenate({shared, gaussian(100, 10, 20) * 0.1}, 1);
  Tensor y = concatenate({shared, gaussian(100, 10, 21) * 0.1}, 1);
  auto strong = svcca(x, y, 0.99);
  EXPECT_EQ(strong.p, 2);
  EXPECT_NEAR(strong.mean, 1, 1e-3);
  EXPECT_LT(canonical_correlations(x, y).mean, 0.6);
}

TEST(Pwcca, WeighsDirectionsByWhatTheyCarry) {
  Tensor x = concatenate({gaussian(200, 1, 22) * 10.0, gaussian(200, 1, 23)}, 1);
  Tensor y = concatenate({x.slice(1, 0, 1), gaussian(200, 1, 24)}, 1);
  auto found = canonical_correlations(x, y);
  EXPECT_GT(found.weighted, 0.85);
  EXPECT_LT(found.mean, 0.65);
  EXPECT_NEAR(canonical_correlations(x, matmul(x, gaussian(2, 2, 25))).weighted, 1, 1e-10);
}

TEST(Cca, HandlesRankDeficiencyAndConstants) {
  Tensor x = gaussian(40, 3, 26);
  auto doubled = canonical_correlations(concatenate({x, x}, 1), x);
  EXPECT_EQ(doubled.p, 3);
  expect_near(doubled.correlations, {1, 1, 1}, 1e-9);
  auto constant = canonical_correlations(x, ones({40, 2}, DType::f64));
  EXPECT_EQ(constant.mean, 0);
  EXPECT_EQ(constant.warning, "a representation is constant");
  EXPECT_FAILS(canonical_correlations(gaussian(2, 1, 1), gaussian(2, 1, 2)), "n at least 3");
  EXPECT_FAILS(svcca(x, x, 0), "share of variance is 0");
}

TEST(Shape, SinglePrecisionAgreesWithDouble) {
  Tensor x = gaussian(50, 6, 37), y = x + gaussian(50, 6, 38);
  Tensor a = x.to(DType::f32), b = y.to(DType::f32);
  expect_near(canonical_correlations(a, b).correlations, canonical_correlations(x, y).correlations,
              1e-5);
  EXPECT_NEAR(procrustes_distance(a, b), procrustes_distance(x, y), 1e-5);
  EXPECT_NEAR(rsa(a, b), rsa(x, y), 1e-4);
  EXPECT_NEAR(mutual_neighbours(a, b), mutual_neighbours(x, y), 1e-2);
}

TEST(Procrustes, IsTheMinimumOverRotations) {
  Tensor x = gaussian(30, 5, 27), y = gaussian(30, 5, 28);
  Tensor a = x - mean(x, {0}), b = y - mean(y, {0});
  double distance = procrustes_distance(x, y, false);
  // The best rotation is U V' of X'Y = U S V'.
  ThinSvd svd = thin_svd(matmul(a.transpose(0, 1), b));
  Tensor best = matmul(svd.left, svd.right.transpose(0, 1));
  EXPECT_NEAR(norm(matmul(a, best) - b).item(), distance, 1e-10);
  for (uint64_t seed = 0; seed < 20; ++seed) {
    EXPECT_GE(norm(matmul(a, orthogonal(5, 100 + seed)) - b).item(), distance);
  }
}

TEST(Procrustes, IsAMetric) {
  Tensor x = gaussian(30, 5, 29), y = gaussian(30, 4, 30), z = x + gaussian(30, 5, 31) * 0.5;
  EXPECT_NEAR(procrustes_distance(x, matmul(x, orthogonal(5, 32)) * 4.0 + 2.0), 0, 1e-7);
  EXPECT_NEAR(procrustes_distance(x, y), procrustes_distance(y, x), 1e-12);
  EXPECT_LE(procrustes_distance(x, y), procrustes_distance(x, z) + procrustes_distance(z, y));
  EXPECT_GT(procrustes_distance(x, y), procrustes_distance(x, z));
  EXPECT_LE(procrustes_distance(x, y), std::sqrt(2.0));
  EXPECT_FAILS(procrustes_distance(x, ones({30, 2}, DType::f64)), "constant");
}

TEST(Rsa, IsOneForRotatedAndZeroForUnrelatedRepresentations) {
  Tensor x = gaussian(40, 6, 33), turned = matmul(x, orthogonal(6, 34)) * 3.0 + 1.0;
  EXPECT_NEAR(rsa(x, turned), 1, 1e-10);
  EXPECT_NEAR(rsa(x, turned, Dissimilarity::cosine), 1, 1e-10);
  EXPECT_LT(rsa(x, turned, Dissimilarity::correlation), 0.99);
  double mean_of = 0;
  for (uint64_t i = 0; i < 20; ++i)
    mean_of += rsa(gaussian(40, 6, 200 + i), gaussian(40, 6, 300 + i)) / 20;
  EXPECT_NEAR(mean_of, 0, 0.04);
}

TEST(Rsa, SpearmanSharesRanksAmongTies) {
  EXPECT_NEAR(spearman({1, 2, 3, 4}, {10, 20, 30, 25}), 0.8, 1e-12);
  EXPECT_NEAR(spearman({1, 1, 2}, {1, 2, 3}), std::sqrt(3.0) / 2, 1e-12);
  EXPECT_EQ(spearman({1, 1, 1}, {1, 2, 3}), 0);
  EXPECT_FAILS(spearman({1}, {1, 2}), "1 and 2 values");
}

TEST(MutualNeighbours, IsOneWithItselfAndChanceWithNoise) {
  Tensor x = gaussian(200, 5, 35);
  EXPECT_EQ(mutual_neighbours(x, x, 10), 1);
  EXPECT_EQ(mutual_neighbours(x, matmul(x, orthogonal(5, 36)), 10, false), 1);
  double chance = 0;
  for (uint64_t i = 0; i < 4; ++i) {
    chance += mutual_neighbours(gaussian(200, 5, 400 + i), gaussian(200, 5, 500 + i), 10) / 4;
  }
  // 4 draws of 2000 neighbours each: a standard error of about 0.0025.
  EXPECT_NEAR(chance, 10.0 / 199, 0.0075);
}

}  // namespace
}  // namespace strata::introspect
