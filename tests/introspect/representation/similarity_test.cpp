// CKA against its closed forms, its invariances and its null distribution.
#include "tools/introspect/representation/similarity.h"

#include <gtest/gtest.h>

#include <cmath>

#include "engine/ops.h"
#include "kernels/common/parallel.h"
#include "tests/introspect/representation/clouds.h"
#include "tests/support/expect.h"

namespace strata::introspect {
namespace {

using test::gaussian;
using test::orthogonal;

TEST(Cka, NullValueOfIndependentGaussians) {
  // Biased: sqrt(p q / ((n + p)(n + q))); debiased: 0 within 1 / n. What peers get wrong most
  // often.
  struct Case {
    int64_t n, p, q;
    double expected;
    uint64_t draws;
  };
  // Draws enough that the bounds below are at least three standard errors away.
  for (auto [n, p, q, expected, draws] : {Case{100, 50, 50, 0.3333, 100},
                                          {256, 512, 512, 0.6667, 4},
                                          {64, 1000, 200, 0.8438, 20},
                                          {1000, 64, 64, 0.0602, 10}}) {
    double biased = 0, debiased = 0;
    for (uint64_t i = 0; i < draws; ++i) {
      Tensor x = gaussian(n, p, 1000 + 2 * i, DType::f32);
      Tensor y = gaussian(n, q, 1001 + 2 * i, DType::f32);
      biased += linear_cka(x, y, false) / static_cast<double>(draws);
      debiased += linear_cka(x, y, true) / static_cast<double>(draws);
    }
    EXPECT_NEAR(biased, expected, 0.01 * expected) << n << " " << p << " " << q;
    EXPECT_NEAR(debiased, 0, 1.0 / static_cast<double>(n)) << n << " " << p << " " << q;
  }
}

TEST(Cka, IsOneForRotatedShiftedAndScaledCopies) {
  Tensor x = gaussian(60, 8, 1);
  Tensor copy = matmul(x, orthogonal(8, 2)) * 3.0 + 5.0;
  for (bool debiased : {false, true}) {
    EXPECT_NEAR(linear_cka(x, x, debiased), 1, 1e-12);
    EXPECT_NEAR(linear_cka(x, copy, debiased), 1, 1e-10);
    EXPECT_NEAR(gaussian_cka(x, copy, 0.5, debiased), 1, 1e-10);
  }
}

TEST(Cka, IsInvariantInBothArgumentsAndSymmetric) {
  Tensor x = gaussian(50, 6, 3), y = matmul(x, gaussian(6, 9, 4)) + gaussian(50, 9, 5);
  Tensor moved = matmul(y, orthogonal(9, 6)) * 0.1 - 40.0;
  for (bool debiased : {false, true}) {
    double value = linear_cka(x, y, debiased);
    EXPECT_NEAR(linear_cka(x, moved, debiased), value, 1e-10);
    EXPECT_NEAR(linear_cka(y, x, debiased), value, 1e-12);
    EXPECT_NEAR(gaussian_cka(x, moved, 0.4, debiased), gaussian_cka(x, y, 0.4, debiased), 1e-10);
  }
  EXPECT_GT(linear_cka(x, y, false), 0);
  EXPECT_LT(linear_cka(x, y, false), 1);
}

TEST(Cka, ChangesUnderAnInvertibleMapThatIsNotARotation) {
  Tensor x = gaussian(60, 8, 1);
  Tensor stretch = from_vector(std::vector<double>{20, 1, 1, 1, 1, 1, 1, 1}, {8});
  EXPECT_LT(linear_cka(x, x * stretch, false), 0.9);
}

TEST(Cka, GramFormEqualsFeatureForm) {
  Tensor x = gaussian(40, 6, 3) + 3.0, y = matmul(x, gaussian(6, 9, 4)) + gaussian(40, 9, 5);
  auto centred = [](const Tensor& a) { return a - mean(a, {0}); };
  Tensor a = centred(x), b = centred(y);
  auto squared = [](const Tensor& p, const Tensor& q) {
    return sum(square(matmul(p.transpose(0, 1), q))).item();
  };
  double features = squared(a, b) / std::sqrt(squared(a, a) * squared(b, b));
  EXPECT_NEAR(cka_of_grams(gram(x), gram(y), false), features, 1e-12);
  for (bool debiased : {false, true}) {
    EXPECT_NEAR(linear_cka(x, y, debiased), cka_of_grams(gram(x), gram(y), debiased), 1e-10);
  }
}

TEST(Cka, DebiasedIsTheDefinitionOfSongEtAl) {
  // HSIC_1 = (tr KL + 1'K1 1'L1 / ((n-1)(n-2)) - 2 / (n-2) 1'KL1) / (n(n-3)), diagonals set to 0.
  Tensor x = gaussian(12, 4, 7), y = gaussian(12, 3, 8) + x.slice(1, 0, 3);
  Tensor off = 1.0 + -eye(12, DType::f64);
  Tensor k = gram(x) * off, l = gram(y) * off;
  auto hsic = [](const Tensor& p, const Tensor& q) {
    Tensor pq = matmul(p, q);
    double trace = sum(pq * eye(12, DType::f64)).item();
    return (trace + sum(p).item() * sum(q).item() / (11.0 * 10) - 2 * sum(pq).item() / 10) /
           (12.0 * 9);
  };
  EXPECT_NEAR(linear_cka(x, y), hsic(k, l) / std::sqrt(hsic(k, k) * hsic(l, l)), 1e-12);
}

TEST(Cka, StreamingEqualsAllRowsAtOnce) {
  Tensor x = gaussian(90, 5, 9) + 20.0, y = matmul(x, gaussian(5, 7, 10)) + gaussian(90, 7, 11);
  StreamingCka stream;
  for (int64_t first : {0, 10, 11, 50}) {
    int64_t last = first == 0 ? 10 : first == 10 ? 11 : first == 11 ? 50 : 90;
    stream.add(x.slice(0, first, last), y.slice(0, first, last));
  }
  EXPECT_EQ(stream.rows(), 90);
  for (bool debiased : {false, true}) {
    EXPECT_NEAR(stream.value(debiased), cka_of_grams(gram(x), gram(y), debiased), 1e-10);
  }
}

TEST(Cka, MinibatchesOfOneAreTheFullValueAndOfMoreAgreeOnAverage) {
  Tensor x = gaussian(800, 6, 12), y = matmul(x, gaussian(6, 6, 13)) + gaussian(800, 6, 14) * 2.0;
  MinibatchCka once, parts;
  once.add(gram(x), gram(y));
  EXPECT_NEAR(once.value(), linear_cka(x, y), 1e-10);
  double biased = 0;
  for (int64_t first = 0; first < 800; first += 20) {
    Tensor a = x.slice(0, first, first + 20), b = y.slice(0, first, first + 20);
    parts.add(gram(a), gram(b));
    biased += linear_cka(a, b, false) / 40;
  }
  EXPECT_NEAR(parts.value(), linear_cka(x, y), 0.03);
  EXPECT_GT(biased, linear_cka(x, y) + 0.06);  // what averaging biased values of batches would say
}

TEST(Cka, GaussianKernelHasTheMedianDistanceAsItsBandwidth) {
  Tensor line = from_vector(std::vector<double>{0, 1, 3, 7}, {4, 1});  // distances 1 2 3 4 6 7
  Tensor k = gaussian_gram(line, 0.5);
  EXPECT_NEAR(k.select(0, 0).select(0, 2).item(), std::exp(-9.0 / (2 * 2 * 2)), 1e-12);
}

TEST(Cka, WideGaussianKernelIsTheLinearOne) {
  // exp(-d^2 / 2 s^2) = 1 - d^2 / 2 s^2 for large s, and centred squared distances are inner
  // products.
  Tensor x = gaussian(40, 5, 15), y = matmul(x, gaussian(5, 5, 16)) + gaussian(40, 5, 17);
  EXPECT_NEAR(gaussian_cka(x, y, 300, false), linear_cka(x, y, false), 1e-4);
}

TEST(Cka, OrthogonalSubspacesShareNothing) {
  std::vector<double> a, b;
  for (int i = 0; i < 32; ++i) {
    a.push_back(i & 1 ? 1 : -1);
    b.push_back(i & 2 ? 1 : -1);
  }
  EXPECT_NEAR(linear_cka(from_vector(a, {32, 1}), from_vector(b, {32, 1}), false), 0, 1e-12);
}

TEST(Cka, NullBandHoldsUnrelatedAndNotRelatedRepresentations) {
  Tensor x = gaussian(60, 20, 18), y = gaussian(60, 20, 19), z = x + gaussian(60, 20, 20);
  for (bool debiased : {false, true}) {
    NullBand band = cka_null_band(gram(x), gram(y), 200, debiased);
    double value = cka_of_grams(gram(x), gram(y), debiased);
    EXPECT_GT(value, band.low);
    EXPECT_LT(value, band.high);
    // The biased estimator's null is far from 0 and the band says so.
    EXPECT_NEAR(band.mean, debiased ? 0.0 : 0.25, 0.02);
    NullBand related = cka_null_band(gram(x), gram(z), 200, debiased);
    EXPECT_GT(cka_of_grams(gram(x), gram(z), debiased), related.high + 0.1);
  }
}

TEST(Cka, OfAConstantRepresentationIsZeroAndNeverNan) {
  EXPECT_EQ(linear_cka(gaussian(10, 3, 21), ones({10, 3}, DType::f64)), 0);
  EXPECT_EQ(linear_cka(ones({10, 30}, DType::f64), ones({10, 30}, DType::f64)), 0);
}

TEST(Cka, SinglePrecisionAgreesWithDouble) {
  Tensor x = gaussian(80, 10, 22), y = x + gaussian(80, 10, 23);
  EXPECT_NEAR(linear_cka(x.to(DType::f32), y.to(DType::f32)), linear_cka(x, y), 1e-5);
}

TEST(Cka, RefusesTooFewExamplesAndUnpairedOnes) {
  EXPECT_FAILS(linear_cka(gaussian(3, 2, 1), gaussian(3, 2, 2)), "at least 4 examples; 3");
  EXPECT_FAILS(linear_cka(gaussian(3, 1, 1), gaussian(3, 1, 2)), "at least 4 examples; 3");
  EXPECT_FAILS(linear_cka(gaussian(9, 2, 1), gaussian(8, 2, 2)), "f64\\[9,2\\] and f64\\[8,2\\]");
  EXPECT_FAILS(StreamingCka().value(), "at least 4 examples; 0");
  StreamingCka stream;
  stream.add(gaussian(5, 2, 1), gaussian(5, 3, 2));
  EXPECT_FAILS(stream.add(gaussian(5, 3, 1), gaussian(5, 2, 2)), "p and q as before");
}

}  // namespace
}  // namespace strata::introspect
