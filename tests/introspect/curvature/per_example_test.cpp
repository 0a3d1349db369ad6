// Per-example gradients, Fisher matrices and the noise scale.
#include "tools/introspect/curvature/per_example.h"

#include <gtest/gtest.h>

#include "tests/introspect/curvature/families.h"
#include "tests/support/expect.h"
#include "tools/introspect/curvature/fisher.h"
#include "tools/introspect/curvature/hessian.h"

namespace strata::introspect {
namespace {

using namespace test;

TEST(PerExample, GradientsSumToTheBatchsInEveryFamily) {
  for (auto& f : family_objectives()) {
    Tensor rows = per_example_gradients(f.example, f.objective.parameters, 4);
    EXPECT_LT(largest_difference(mean(rows, {0}), gradient(f.objective)), 1e-12) << f.name;
    auto norms = per_example_gradient_norms(f.example, f.objective.parameters, 4);
    for (int64_t i = 0; i < 4; ++i) {
      double direct = norm(rows.select(0, i)).item();
      EXPECT_NEAR(norms[static_cast<size_t>(i)], direct, 1e-12 * direct) << f.name;
      EXPECT_GT(direct, 1e-3) << f.name;
    }
  }
}

TEST(Fisher, EmpiricalIsTheMeanOfOuterProducts) {
  for (auto& f : family_objectives()) {
    const auto& parameters = f.objective.parameters;
    Tensor rows = per_example_gradients(f.example, parameters, 4);
    Tensor v = random({rows.size(1)}, 70);
    Tensor dense = matmul(rows.transpose(0, 1), matmul(rows, v)) / 4.0;
    EXPECT_LT(largest_difference(empirical_fisher(f.example, parameters, 4)(v), dense), 1e-12);
    Tensor diagonal = empirical_fisher_diagonal(f.example, parameters, 4);
    EXPECT_LT(largest_difference(diagonal, mean(rows * rows, {0})), 1e-12) << f.name;
  }
}

// Softmax regression, whose Fisher matrix is x x' times diag(p) - p p', and is its Hessian.
struct SoftmaxRegression {
  Tensor x = random({6, 4}, 71), w = random({3, 4}, 72);
  SoftmaxRegression() { w.set_requires_grad(); }
  Tensor scores() const { return matmul(x, w.transpose(0, 1)); }
};

TEST(Fisher, OfSoftmaxRegressionIsItsHessianAndTheClosedForm) {
  SoftmaxRegression model;
  Tensor labels = from_vector(std::vector<int64_t>{0, 1, 2, 2, 1, 0}, {6});
  LinearMap exact = fisher([=] { return model.scores(); }, {model.w});
  LinearMap h = hessian({[=] { return cross_entropy(model.scores(), labels); }, {model.w}});
  Tensor v = random({12}, 73);
  EXPECT_LT(largest_difference(exact(v), h(v)), 1e-12);
  Tensor diagonal =
      fisher_diagonal([=](int64_t i) { return model.scores().slice(0, i, i + 1); }, {model.w}, 6);
  NoGrad off;
  Tensor p = softmax(model.scores(), 1), variance = p * (1.0 - p);  // [6, 3]
  Tensor closed = matmul(variance.transpose(0, 1), model.x * model.x) / 6.0;
  EXPECT_LT(largest_difference(diagonal.reshape({3, 4}), closed), 1e-12);
}

TEST(Fisher, ProductAndDiagonalAgreeAndAreNotTheEmpiricalOnesInAConvolution) {
  ConvNetwork network;
  std::vector<Tensor> parameters = {network.kernel1, network.bias1, network.head};
  for (Tensor& t : parameters) t.set_requires_grad();
  Tensor x = random({3, 8, 8, 2}, 74);
  LinearMap product = fisher([=] { return network(x); }, parameters);
  Tensor diagonal =
      fisher_diagonal([=](int64_t i) { return network(x.slice(0, i, i + 1)); }, parameters, 3);
  Tensor identity = eye(product.size, DType::f64);
  for (int64_t i = 0; i < product.size; i += 7) {
    Tensor column = product(identity.select(0, i));
    EXPECT_NEAR(column.select(0, i).item(), diagonal.select(0, i).item(), 1e-12);
  }
  Tensor v = random({product.size}, 75);
  EXPECT_GE(dot(v, product(v)).item(), 0);
  Tensor labels = from_vector(std::vector<int64_t>{0, 1, 2}, {3});
  Tensor empirical = empirical_fisher_diagonal(
      [=](int64_t i) {
        return cross_entropy(network(x.slice(0, i, i + 1)), labels.slice(0, i, i + 1));
      },
      parameters, 3);
  EXPECT_GT(largest_difference(empirical, diagonal), 1e-3);
}

TEST(Fisher, ProductsInEveryFamilyAreTheGaussNewtonMatrix) {
  RecurrentNetwork r;
  AttentionNetwork a;
  GraphNetwork g;
  auto check = [](auto network, std::vector<Tensor> parameters, const Tensor& x) {
    for (Tensor& t : parameters) t.set_requires_grad();
    LinearMap product = fisher([=] { return network(x); }, parameters);
    // J by rows, the slow way.
    EnableGrad on;
    Tensor scores = network(x), p = softmax(scores.detach(), 1), v = random({product.size}, 76);
    int64_t classes = scores.size(1);
    Tensor expected = zeros({product.size}, DType::f64);
    for (int64_t n = 0; n < x.size(0); ++n) {
      std::vector<Tensor> rows;
      for (int64_t c = 0; c < classes; ++c) {
        rows.push_back(flat_gradient(scores.select(0, n).select(0, c), parameters, true));
      }
      Tensor j = stack(rows), q = p.select(0, n), jv = matmul(j, v);
      expected = expected + matmul(q * (jv - dot(q, jv)), j) / static_cast<double>(x.size(0));
    }
    EXPECT_LT(largest_difference(product(v), expected), 1e-12);
  };
  check(r, {r.input, r.recurrent, r.head}, random({3, 5, 3}, 2));
  check(g, {g.weight1, g.weight2}, random({3, 5, 3}, 3));
  check(a, {a.qkv, a.projection, a.expand, a.head}, random({3, 6, 8}, 4));
}

// Loss |w - x_i|^2 / 2 of points with mean mu and a known scatter: G = w - mu and Sigma that
// scatter.
TEST(NoiseScale, OfAKnownScatter) {
  int64_t count = 500;
  Tensor points = random({count, 6}, 77, 2.0), w = full({6}, 1.0, DType::f64);
  w.set_requires_grad();
  BatchLoss loss = [=](const std::vector<int64_t>& batch) {
    Tensor index = from_vector(batch, {static_cast<int64_t>(batch.size())});
    Tensor gaps = w - index_select(points, 0, index);
    return sum(gaps * gaps) / (2.0 * static_cast<double>(batch.size()));
  };
  Tensor centre = mean(points, {0}), g = w.detach() - centre;
  double signal = sum(g * g).item();
  double scatter = sum(square(points - centre)).item() / static_cast<double>(count);
  NoiseScale found =
      gradient_noise_scale(loss, {w}, count, {.small = 2, .big = 16, .repeats = 2000});
  EXPECT_NEAR(found.squared_gradient, signal, 3 * found.squared_gradient_error);
  EXPECT_NEAR(found.noise, scatter, 3 * found.noise_error);
  EXPECT_LT(found.noise_error / found.noise, 0.02);
  EXPECT_NEAR(found.scale(), scatter / signal, 0.1 * scatter / signal);
}

TEST(NoiseScale, IsExactOnExactNormsAndKnowsWhatItCannotSee) {
  // |G|^2 = 3 and tr(Sigma) = 40: E |G_B|^2 = 3 + 40 / B.
  NoiseScale found =
      noise_scale({3 + 40.0 / 8, 3 + 40.0 / 8}, {3 + 40.0 / 32, 3 + 40.0 / 32}, 8, 32);
  EXPECT_NEAR(found.squared_gradient, 3, 1e-12);
  EXPECT_NEAR(found.noise, 40, 1e-12);
  EXPECT_NEAR(found.scale(), 40.0 / 3, 1e-12);
  EXPECT_NEAR(found.noise_error, 0, 1e-12);
  EXPECT_TRUE(std::isinf(noise_scale({8}, {1}, 8, 32).scale()));
  EXPECT_FAILS(noise_scale({1}, {1}, 8, 8), "two batch sizes, the second larger");
  EXPECT_FAILS(gradient_noise_scale({}, {}, 10, {.small = 3, .big = 8}), "8 does not divide.* 3");
}

}  // namespace
}  // namespace strata::introspect
