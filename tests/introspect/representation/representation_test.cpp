// CKA, principal components, effective rank and sparsity against their closed forms.
#include <gtest/gtest.h>

#include <cmath>

#include "engine/ops.h"
#include "tools/introspect/representation/features.h"
#include "tools/introspect/representation/geometry.h"
#include "tools/introspect/representation/similarity.h"

namespace strata::introspect {
namespace {

Tensor gaussian(int64_t n, int64_t d, uint64_t seed, DType dtype = DType::f64) {
  Generator generator(seed);
  return randn({n, d}, 0, 1, dtype, &generator);
}

// Product of random Householder reflections: an orthogonal matrix [d, d].
Tensor orthogonal(int64_t d, uint64_t seed) {
  Tensor q = eye(d, DType::f64);
  for (uint64_t i = 0; i < 3; ++i) {
    Tensor v = gaussian(d, 1, seed + i);
    Tensor reflection =
        eye(d, DType::f64) - 2.0 * matmul(v, v.transpose(0, 1)) / sum(square(v)).item();
    q = matmul(q, reflection);
  }
  return q;
}

TEST(Cka, IsOneForRotatedShiftedAndScaledCopies) {
  Tensor x = gaussian(60, 8, 1);
  for (bool debiased : {false, true}) {
    EXPECT_NEAR(linear_cka(x, x, debiased), 1, 1e-12);
    EXPECT_NEAR(linear_cka(x, matmul(x, orthogonal(8, 2)) * 3.0 + 5.0, debiased), 1, 1e-10);
  }
}

TEST(Cka, ChangesUnderAnInvertibleMapThatIsNotARotation) {
  Tensor x = gaussian(60, 8, 1);
  Tensor stretch = from_vector(std::vector<double>{20, 1, 1, 1, 1, 1, 1, 1}, {8});
  EXPECT_LT(linear_cka(x, x * stretch, false), 0.9);
}

TEST(Cka, NullValueOfIndependentGaussians) {
  // Biased: sqrt(p q / ((n + p)(n + q))) = 0.3333 for n = 100, p = q = 50; debiased: 0.
  double biased = 0, debiased = 0;
  const int draws = 40;
  for (uint64_t i = 0; i < draws; ++i) {
    Tensor x = gaussian(100, 50, 100 + 2 * i), y = gaussian(100, 50, 101 + 2 * i);
    biased += linear_cka(x, y, false) / draws;
    debiased += linear_cka(x, y, true) / draws;
  }
  EXPECT_NEAR(biased, 1.0 / 3, 0.01);
  EXPECT_NEAR(debiased, 0, 0.01);
}

TEST(Cka, BiasedGramFormEqualsFeatureForm) {
  Tensor x = gaussian(40, 6, 3), y = matmul(x, gaussian(6, 9, 4)) + gaussian(40, 9, 5);
  auto centred = [](const Tensor& a) { return a - mean(a, {0}); };
  Tensor a = centred(x), b = centred(y);
  auto squared = [](const Tensor& p, const Tensor& q) {
    return sum(square(matmul(p.transpose(0, 1), q))).item();
  };
  double features = squared(a, b) / std::sqrt(squared(a, a) * squared(b, b));
  EXPECT_NEAR(linear_cka(x, y, false), features, 1e-12);
}

TEST(Cka, OrthogonalSubspacesShareNothing) {
  // Two columns each of a 4 x 4 Hadamard-like design without its constant column.
  std::vector<double> a, b;
  for (int i = 0; i < 32; ++i) {
    int bits = i % 8;
    a.push_back(bits & 1 ? 1 : -1);
    b.push_back(bits & 2 ? 1 : -1);
  }
  Tensor x = from_vector(a, {32, 1}), y = from_vector(b, {32, 1});
  EXPECT_NEAR(linear_cka(x, y, false), 0, 1e-12);
}

TEST(Cka, RefusesTooFewExamples) {
  EXPECT_THROW(linear_cka(gaussian(3, 2, 1), gaussian(3, 2, 2)), Error);
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
  EXPECT_LT(max(abs(covariance - eye(3))).item(), 1e-3);
}

TEST(PrincipalComponents, ExplainEverythingWhenThereAreEnough) {
  Tensor x = gaussian(50, 6, 10, DType::f32);
  auto found = principal_components(x, 6);
  double sum_of = 0;
  for (double v : found.variances) sum_of += v;
  EXPECT_NEAR(sum_of, found.total_variance, 1e-4 * found.total_variance);
}

TEST(EffectiveRank, OfALineAndOfAGaussian) {
  Tensor line = matmul(gaussian(50, 1, 11), gaussian(1, 9, 12));
  EXPECT_NEAR(effective_rank(gram(line)), 1, 1e-6);
  // Participation ratio of n x d Gaussian data: 1 / (1/d + 1/n).
  Tensor cloud = gaussian(500, 100, 13);
  EXPECT_NEAR(participation_ratio(gram(cloud)), 1 / (1.0 / 100 + 1.0 / 500), 1.5);
}

TEST(Sparsity, HoyerIsZeroForConstantAndOneForOneHot) {
  EXPECT_NEAR(hoyer_sparsity(ones({4, 16})), 0, 1e-6);
  EXPECT_NEAR(hoyer_sparsity(eye(16)), 1, 1e-6);
  EXPECT_NEAR(share_of_zeros(eye(4)), 0.75, 1e-12);
}

}  // namespace
}  // namespace strata::introspect
