// Non-negative factors: a planted factorisation comes back, one factor is the leading singular
// pair.
#include "tools/introspect/units/factors.h"

#include <gtest/gtest.h>

#include "engine/ops.h"
#include "kernels/common/parallel.h"
#include "tests/introspect/networks.h"
#include "tests/support/expect.h"
#include "tools/introspect/capture.h"
#include "tools/introspect/linear_algebra.h"

namespace strata::introspect {
namespace {

using namespace test;

// W [60, 3] with rows and H [3, 8] with columns that hold one factor only, which makes the
// factorisation unique (Donoho and Stodden 2003).
struct Planted {
  Tensor weights, directions;
};
Planted planted(DType dtype) {
  Tensor pure = eye(3, DType::f64);
  Tensor weights = concatenate({pure, pure * 2.0, abs(random({54, 3}, 1))}, 0);
  Tensor directions = abs(random({3, 8}, 2));
  copy_(directions.slice(1, 0, 3), pure);
  return {weights.to(dtype), directions.to(dtype)};
}

TEST(Factors, FindAPlantedFactorisation) {
  for (DType dtype : {DType::f64, DType::f32}) {
    auto [weights, directions] = planted(dtype);
    Factors found =
        factorise(matmul(weights, directions), 3, {.max_iterations = 3000, .tolerance = 0});
    double tolerance = dtype == DType::f64 ? 1e-3 : 2e-3;
    EXPECT_LT(found.error, tolerance);
    Tensor unit = directions / norm(directions, {1}, true);
    Tensor match = matmul(found.directions, unit.transpose(0, 1));
    // Each planted direction has one found direction that is it, up to the angle's cosine.
    EXPECT_GT(min(max(match, {0})).item(), 0.9995);
    EXPECT_GT(min(max(match, {1})).item(), 0.9995);
    EXPECT_GE(min(found.weights).item(), 0);
    EXPECT_GE(min(found.directions).item(), 0);
  }
}

TEST(Factors, OneFactorIsTheLeadingSingularPair) {
  // Of a positive matrix the leading singular vectors are positive (Perron), so with k = 1 the
  // constraint does not bind and the error is that of the best rank-1 matrix.
  Tensor x = abs(random({30, 6}, 3));
  Factors found = factorise(x, 1, {.max_iterations = 500, .tolerance = 0});
  EigenPairs pairs = symmetric_eigen(matmul(x.transpose(0, 1), x));
  double total = sum(square(x)).item();
  EXPECT_NEAR(found.error * found.error, 1 - pairs.values[0] / total, 1e-9);
  Tensor leading = abs(pairs.vectors.select(1, 0).contiguous());
  EXPECT_LT(largest_difference(found.directions.select(0, 0), leading), 1e-6);
}

TEST(Factors, TheErrorIsThatOfTheProductAndFallsWithK) {
  ConvNetwork model;
  Capture capture({"conv2"});
  model(random({3, 8, 8, 2}, 4));
  Tensor activation = capture["conv2"];
  double before = 1;
  for (int64_t k = 1; k <= 4; ++k) {
    Factors found = factorise(activation, k);
    EXPECT_EQ(found.weights.shape(), (Dims{3, 4, 4, k}));
    double error =
        norm(activation - matmul(found.weights, found.directions)).item() / norm(activation).item();
    EXPECT_NEAR(found.error, error, 1e-9);
    EXPECT_LT(error, before);
    before = error;
  }
}

TEST(Factors, WeightsOfTheSameDataAreTheFactors) {
  auto [weights, directions] = planted(DType::f64);
  Tensor unit = directions / norm(directions, {1}, true);
  Tensor x = matmul(weights, unit);
  EXPECT_LT(largest_difference(factor_weights(x, unit, 2000), weights), 1e-6);
}

TEST(Factors, RepeatBitForBitWhateverTheThreads) {
  Tensor x = abs(random({500, 6}, 5));
  Factors a = factorise(x, 4);
  int threads = thread_count();
  set_thread_count(threads == 1 ? 3 : 1);
  Factors b = factorise(x, 4);
  set_thread_count(threads);
  EXPECT_EQ(largest_difference(a.weights, b.weights), 0);
  EXPECT_EQ(largest_difference(a.directions, b.directions), 0);
}

TEST(Factors, RefuseWhatIsNotNonNegative) {
  EXPECT_FAILS(factorise(random({5, 4}, 6), 2), "values from -.*behind its ReLU");
  EXPECT_FAILS(factorise(abs(random({5, 4}, 6)), 5), "5 factors of 5 x 4 values: expected 1 to 4");
  EXPECT_FAILS(factor_weights(abs(random({5, 4}, 6)), abs(random({2, 3}, 6))),
               R"(directions f64\[2,3\] do not fit)");
}

}  // namespace
}  // namespace strata::introspect
