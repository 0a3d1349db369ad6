// Hessian-vector products, and what Krylov methods make of them.
#include "tools/introspect/curvature/hessian.h"

#include <gtest/gtest.h>

#include "models/language/gpt.h"
#include "models/vision/convnet.h"
#include "tests/introspect/curvature/families.h"
#include "tests/support/expect.h"
#include "tools/introspect/curvature/sharpness.h"
#include "tools/introspect/linear_algebra.h"

namespace strata::introspect {
namespace {

using namespace test;
using strata::test::values;

Tensor symmetric(int64_t n, uint64_t seed) {
  Tensor a = random({n, n}, seed);
  return (a + a.transpose(0, 1)) / 2.0;
}
LinearMap of_matrix(const Tensor& a) {
  return {a.size(0), a.dtype(), [=](const Tensor& v) { return matmul(a, v); }};
}
LinearMap of_diagonal(const std::vector<double>& d) {
  Tensor diagonal = from_vector(d, {static_cast<int64_t>(d.size())});
  return {diagonal.numel(), DType::f64, [=](const Tensor& v) { return diagonal * v; }};
}

TEST(Hessian, OfAQuadraticIsItsMatrix) {
  Tensor a = symmetric(7, 1), w1 = random({3}, 2), w2 = random({2, 2}, 3);
  w1.set_requires_grad();
  w2.set_requires_grad();
  Objective objective{[=] {
                        Tensor w = concatenate({w1, w2.reshape({4})});
                        return dot(w, matmul(a, w)) / 2.0;
                      },
                      {w1, w2}};
  Tensor v = random({7}, 4);
  EXPECT_LT(largest_difference(hessian(objective)(v), matmul(a, v)), 1e-12);
}

// Largest error of a product against central differences of gradients, as a share of the product.
double error_of_product(const Objective& objective) {
  Tensor at = flatten_all(objective.parameters), v = random(at.shape(), 5);
  Tensor product = hessian(objective)(v);
  Restore restore(objective);
  auto gradient_at = [&](double amount) {
    assign(objective.parameters, at + amount * v);
    return gradient(objective);
  };
  double step = 1e-5;
  Tensor slope = (gradient_at(step) - gradient_at(-step)) / (2 * step);
  EXPECT_GT(max(abs(product)).item(), 1e-2);
  return largest_difference(product, slope) / max(abs(slope)).item();
}

TEST(Hessian, IsTheDifferenceOfGradientsInEveryFamily) {
  for (auto& f : family_objectives()) EXPECT_LT(error_of_product(f.objective), 1e-6) << f.name;
}

TEST(Hessian, IsTheDifferenceOfGradientsThroughBatchNormAndAttention) {
  manual_seed(4);
  ConvNet convolution({.channels = 1, .classes = 3, .widths = {4}, .halve = {}});
  convolution.to(DType::f64);
  Tensor x = random({6, 6, 6, 1}, 8);
  Tensor labels = from_vector(std::vector<int64_t>{0, 1, 2, 0, 1, 2}, {6});
  EXPECT_LT(error_of_product(
                objective_of(convolution, [&] { return cross_entropy(convolution(x), labels); })),
            1e-6);
  Gpt gpt({.vocabulary = 11, .context = 8, .width = 12, .heads = 3, .layers = 2});
  gpt.to(DType::f64);
  Generator generator(9);
  Tensor tokens = randint(0, 11, {3, 8}, DType::i64, &generator);
  EXPECT_LT(error_of_product(objective_of(gpt,
                                          [&] {
                                            Tensor logits = gpt(tokens.slice(1, 0, 7));
                                            return cross_entropy(logits, tokens.slice(1, 1, 8));
                                          })),
            1e-6);
}

TEST(Hessian, IsSymmetricAndItsTraceIsTheSumOfTheDiagonal) {
  auto f = family_objectives()[2];
  LinearMap h = hessian(f.objective);
  Tensor a = random({h.size}, 6), b = random({h.size}, 7);
  EXPECT_NEAR(dot(a, h(b)).item(), dot(b, h(a)).item(), 1e-12);
  Tensor identity = eye(h.size, DType::f64);
  double exact = 0;
  for (int64_t i = 0; i < h.size; ++i) exact += h(identity.select(0, i)).select(0, i).item();
  TraceEstimate estimate = trace(h, 200);
  EXPECT_GT(estimate.standard_error, 0);
  EXPECT_NEAR(estimate.value, exact, 3 * estimate.standard_error);
}

TEST(Hessian, OfBatchesIsTheirMean) {
  auto f = family_objectives()[0];
  std::vector<Objective> batches;
  for (int64_t i = 0; i < 4; ++i) {
    batches.push_back({[=] { return f.example(i); }, f.objective.parameters});
  }
  LinearMap whole = hessian(f.objective), parts = mean_hessian(batches);
  Tensor v = random({whole.size}, 8);
  EXPECT_LT(largest_difference(whole(v), parts(v)), 1e-12);
}

TEST(Hessian, KnowsThatTheParametersMovedOn) {
  auto f = family_objectives()[2];
  LinearMap h = hessian(f.objective);
  { Restore untouched(f.objective); }
  Tensor v = random({h.size}, 9);
  h(v);  // still valid
  assign(f.objective.parameters, flatten_all(f.objective.parameters) * 1.1);
  EXPECT_FAILS(h(v), "overwritten|written|in place");
}

TEST(Hessian, LeavesBatchNormAsItWas) {
  manual_seed(5);
  ConvNet model({.channels = 1, .classes = 3, .widths = {4}, .halve = {}});
  Tensor x = randn({6, 6, 6, 1});
  Tensor labels = from_vector(std::vector<int64_t>{0, 1, 2, 0, 1, 2}, {6});
  Objective objective = objective_of(model, [&] { return cross_entropy(model(x), labels); });
  ASSERT_FALSE(objective.buffers.empty());
  Tensor before = flatten_all(objective.buffers);
  LinearMap h = hessian(objective);
  h(ones({h.size}));
  sharpness(objective);
  EXPECT_EQ(values(flatten_all(objective.buffers)), values(before));
  objective.loss();  // which, by itself, does change them
  EXPECT_NE(values(flatten_all(objective.buffers)), values(before));
}

TEST(Gradients, FollowTheExactDynamicsOfADeepLinearNetwork) {
  // Saxe et al. 2014: the product a of two balanced weights, by gradient flow on (s - a)^2 / 2:
  // a(t) = s e^(2st) / (e^(2st) - 1 + s / a0). Runge-Kutta of fourth order, steps of 0.01.
  double s = 2, a0 = 1e-3, step = 0.01;
  Tensor w = full({2}, std::sqrt(a0), DType::f64);
  w.set_requires_grad();
  Objective objective{[=] { return square(s - w.select(0, 0) * w.select(0, 1)) / 2.0; }, {w}};
  auto flow = [&](const Tensor& at) {
    assign({w}, at);
    return -gradient(objective);
  };
  Tensor at = flatten_all({w});
  std::vector<double> products;
  for (int i = 1; i <= 400; ++i) {
    Tensor k1 = flow(at), k2 = flow(at + k1 * (step / 2)), k3 = flow(at + k2 * (step / 2)),
           k4 = flow(at + k3 * step);
    at = at + (k1 + 2.0 * k2 + 2.0 * k3 + k4) * (step / 6);
    if (i % 100 == 0) products.push_back(prod(at, 0).item());
  }
  for (int t = 1; t <= 4; ++t) {
    double grown = std::exp(2 * s * t);
    EXPECT_NEAR(products[static_cast<size_t>(t - 1)], s * grown / (grown - 1 + s / a0), 1e-6);
  }
  EXPECT_NEAR(products[0], 0.05317, 1e-5);
  EXPECT_NEAR(products[3], 1.99955, 1e-5);
}

TEST(Lanczos, FindsTheTopOfAKnownDiagonal) {
  std::vector<double> diagonal;
  for (int i = 1; i <= 200; ++i) diagonal.push_back(i / 10.0 - 5);
  diagonal[13] = 30;
  TopPairs top = top_eigenpairs(of_diagonal(diagonal), {.count = 3, .tolerance = 1e-10});
  EXPECT_NEAR(top.values[0], 30, 1e-9);
  EXPECT_NEAR(top.values[1], 15, 1e-9);
  EXPECT_NEAR(top.values[2], 14.9, 1e-9);
  EXPECT_NEAR(std::abs(top.vectors.select(0, 0).select(0, 13).item()), 1, 1e-9);
  EXPECT_LE(top.steps, 100);
  for (double residual : top.residuals) EXPECT_LT(residual, 1e-8);
}

TEST(Lanczos, WorksInSinglePrecision) {
  std::vector<float> diagonal;
  for (int i = 1; i <= 300; ++i) diagonal.push_back(static_cast<float>(i) / 300);
  diagonal[7] = 4;
  diagonal[8] = 3;
  Tensor d = from_vector(diagonal, {300});
  LinearMap map{300, DType::f32, [=](const Tensor& v) { return d * v; }};
  TopPairs top = top_eigenpairs(map, {.count = 2, .tolerance = 1e-5});
  EXPECT_NEAR(top.values[0], 4, 1e-5);
  EXPECT_NEAR(top.values[1], 3, 1e-5);
  EXPECT_LT(top.steps, 40);
  EXPECT_EQ(top.vectors.dtype(), DType::f32);
  EXPECT_NEAR(std::abs(top.vectors.select(0, 1).select(0, 8).item()), 1, 1e-5);
}

TEST(Lanczos, AgreesWithTheFullDecomposition) {
  Tensor a = symmetric(20, 10);
  EigenPairs full = symmetric_eigen(a);
  TopPairs all = top_eigenpairs(of_matrix(a), {.count = 20});
  for (size_t i = 0; i < 20; ++i) EXPECT_NEAR(all.values[i], full.values[i], 1e-10);
  Tensor gram = matmul(all.vectors, all.vectors.transpose(0, 1));
  EXPECT_LT(largest_difference(gram, eye(20, DType::f64)), 1e-10);
  LinearMap negative{20, DType::f64, [=](const Tensor& v) { return -matmul(a, v); }};
  EXPECT_NEAR(-top_eigenpairs(negative).values[0], full.values.back(), 1e-5);
}

TEST(Lanczos, FindsEigenvaluesThatRepeat) {
  TopPairs top = top_eigenpairs(of_diagonal({5, 1, 1, 5, 1, 1, 5, 1}), {.count = 4});
  for (size_t i = 0; i < 3; ++i) EXPECT_NEAR(top.values[i], 5, 1e-10);
  EXPECT_NEAR(top.values[3], 1, 1e-10);
  TopPairs zero = top_eigenpairs(of_diagonal({0, 0, 0}), {.count = 2});
  EXPECT_EQ(zero.values, (std::vector<double>{0, 0}));
}

TEST(Lanczos, QuadratureHasTheMomentsOfTheSpectrum) {
  // Random signs square to 1, so on a diagonal every probe sees each eigenvalue with weight 1 / P:
  // moments up to degree 2 steps - 1 are exact.
  std::vector<double> diagonal;
  for (int i = 0; i < 50; ++i) diagonal.push_back(std::cos(i * 0.7) + (i == 0 ? 2 : 0));
  Spectrum found = spectrum(of_diagonal(diagonal), {.probes = 2, .steps = 6});
  ASSERT_EQ(found.nodes.size(), 12u);
  for (int degree = 0; degree <= 11; ++degree) {
    double quadrature = 0, exact = 0;
    for (size_t i = 0; i < found.nodes.size(); ++i) {
      quadrature += found.weights[i] * std::pow(found.nodes[i], degree);
    }
    for (double d : diagonal) exact += std::pow(d, degree) / 50;
    EXPECT_NEAR(quadrature, exact, 1e-10 * (1 + std::abs(exact))) << degree;
  }
  std::vector<double> grid;
  for (double x = -3; x < 5; x += 0.01) grid.push_back(x);
  double area = 0;
  for (double density : found.density(grid, 0.1)) area += density * 0.01;
  EXPECT_NEAR(area, 1, 1e-3);
}

TEST(Hutchinson, IsWithinItsErrorAndExactOnADiagonal) {
  Tensor a = symmetric(30, 11);
  double exact = 0;
  for (int64_t i = 0; i < 30; ++i) exact += a.select(0, i).select(0, i).item();
  TraceEstimate few = trace(of_matrix(a), 50), many = trace(of_matrix(a), 800);
  EXPECT_NEAR(few.value, exact, 3 * few.standard_error);
  EXPECT_NEAR(many.value, exact, 3 * many.standard_error);
  EXPECT_NEAR(few.standard_error / many.standard_error, 4, 1);  // falls with the root of the probes
  TraceEstimate diagonal = trace(of_diagonal({1, 2, 3.5}), 2);
  EXPECT_NEAR(diagonal.value, 6.5, 1e-12);
  EXPECT_NEAR(diagonal.standard_error, 0, 1e-12);
  EXPECT_FAILS(trace(of_matrix(a), 1), "at least 2 probes");
}

TEST(ConjugateGradients, SolveInAsManyStepsAsDimensions) {
  Tensor root = random({12, 12}, 12), a = matmul(root, root.transpose(0, 1)), b = random({12}, 13);
  Solution found = solve(of_matrix(a), b, {.damping = 0.1, .tolerance = 1e-11});
  Tensor exact = matmul(inverse(a + 0.1 * eye(12, DType::f64)), b);
  EXPECT_LT(largest_difference(found.x, exact), 1e-8);
  EXPECT_LE(found.steps, 24);
  EXPECT_LT(found.residual, 1e-11);
  EXPECT_EQ(max(abs(solve(of_matrix(a), zeros({12}, DType::f64)).x)).item(), 0);
}

TEST(ConjugateGradients, RefuseNegativeCurvatureWithAdvice) {
  EXPECT_FAILS(solve(of_diagonal({1, -2}), from_vector(std::vector<double>{0, 1}, {2})),
               "curvature -2 .*damping above 2");
  EXPECT_FAILS(of_diagonal({1, 2})(zeros({3}, DType::f64)), R"(f64\[3\] is no vector of 2)");
}

}  // namespace
}  // namespace strata::introspect
