// Exact principal components: identities that hold to rounding.
#include "tools/introspect/maps/pca.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "engine/ops.h"
#include "tests/support/expect.h"
#include "tools/introspect/linear_algebra.h"

namespace strata::introspect {
namespace {

Tensor correlated(int64_t n, int64_t d, DType dtype = DType::f64) {
  Generator generator(3);
  Tensor mixing = randn({d, d}, 0, 1, DType::f64, &generator);
  return (matmul(randn({n, d}, 0, 1, DType::f64, &generator), mixing) + 5.0).to(dtype);
}

Tensor covariance(const Tensor& scores) {
  Tensor centred = scores - mean(scores, {0});
  return matmul(centred.transpose(0, 1), centred) / static_cast<double>(scores.size(0) - 1);
}

double distance(const Tensor& a, const Tensor& b) { return max(abs(a - b)).item(); }

TEST(Pca, ExplainsAllOfTheVarianceInUncorrelatedScores) {
  Tensor x = correlated(80, 6);
  Pca pca = fit_pca(x, 6);
  auto shares = pca.explained();
  EXPECT_NEAR(std::accumulate(shares.begin(), shares.end(), 0.0), 1, 1e-10);
  for (size_t i = 1; i < 6; ++i) EXPECT_GE(shares[i - 1], shares[i]);
  Tensor scores = pca.transform(x), spread = covariance(scores);
  for (int64_t i = 0; i < 6; ++i) {
    for (int64_t j = 0; j < 6; ++j) {
      double want = i == j ? pca.variances[static_cast<size_t>(i)] : 0;
      EXPECT_NEAR(spread.select(0, i).select(0, j).item(), want, 1e-10 * pca.total_variance);
    }
  }
  EXPECT_LT(distance(pca.inverse(scores), x), 1e-10);
  EXPECT_LT(distance(covariance(pca.transform(x, true)), eye(6, DType::f64)), 1e-10);
}

// Of a matrix that was built from its singular values: x = u s v^T, u and v from rotations.
TEST(Pca, FindsTheSingularVectorsThatDataWereMadeOf) {
  Tensor u = from_vector<double>({.5, .5, .5, .5, .5, -.5, .5, -.5, .5, .5, -.5, -.5}, {3, 4});
  double c = std::cos(0.3), s = std::sin(0.3);
  Tensor v =
      from_vector<double>({c, s, -s, c}, {2, 2});  // columns after transposing: (c, s), (-s, c)
  // Rows 1 and 2 of u sum to zero, so the data are centred already.
  Tensor scaled = u.slice(0, 1, 3).transpose(0, 1) * from_vector<double>({6, 2}, {2});
  Pca pca = fit_pca(matmul(scaled, v), 2);
  test::expect_near(pca.variances, {36.0 / 3, 4.0 / 3}, 1e-10);
  test::expect_near(test::values(pca.directions), {c, -s, s, c}, 1e-10);
}

TEST(Pca, OfWideDataGoesByTheGramMatrixToTheSameAnswer) {
  Tensor tall = correlated(30, 20);
  Tensor wide = concatenate({tall, zeros({30, 20}, DType::f64)}, 1);  // 40 columns of 30 rows
  Pca a = fit_pca(tall, 5), b = fit_pca(wide, 5);
  test::expect_near(b.variances, a.variances, 1e-10);
  EXPECT_NEAR(a.total_variance, b.total_variance, 1e-10 * a.total_variance);
  EXPECT_LT(distance(b.directions.slice(0, 0, 20), a.directions), 1e-9);
  EXPECT_LT(distance(b.directions.slice(0, 20, 40), zeros({20, 5}, DType::f64)), 1e-9);
}

TEST(Pca, TakesF32AndRefusesMoreComponentsThanThereAre) {
  Pca a = fit_pca(correlated(50, 4), 2), b = fit_pca(correlated(50, 4, DType::f32), 2);
  test::expect_near(b.variances, a.variances, 1e-5);
  EXPECT_FAILS(fit_pca(ones({3, 10}), 3), "3 components of f32\\[3,10\\]: needs 1 to 2");
  EXPECT_FAILS(a.transform(ones({2, 3})), "does not have the 4 columns");
  EXPECT_FAILS(a.inverse(ones({2, 3})), "each of the 2 components");
}

TEST(Pca, OfConstantDataIsAllZero) {
  Pca pca = fit_pca(ones({6, 3}), 2);
  test::expect_near(pca.variances, {0, 0});
  EXPECT_EQ(distance(pca.transform(ones({6, 3}), true), zeros({6, 2}, DType::f64)), 0);
}

}  // namespace
}  // namespace strata::introspect
