// Gradients of gradients: Hessian-vector products, per-example gradients, a gradient penalty.
#include <gtest/gtest.h>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "tests/support/expect.h"
#include "tests/support/oracle.h"

namespace strata {
namespace {

using test::expect_near;
using test::leaf;
using test::Random;
using test::values;
using test::vector_of;

Tensor random_tensor(uint64_t seed, const Dims& shape) {
  return from_vector(Random(seed).uniform(shape, -1, 1).values, shape);
}

TEST(SecondOrder, HessianVectorProductOfAQuadratic) {
  // f = x^T A x / 2 + sum(x^3): H = (A + A^T) / 2 + 6 diag(x).
  Tensor a = random_tensor(1, {4, 4}), x = random_tensor(2, {4}), v = random_tensor(3, {4});
  auto f = [&](const Tensor& p) {
    return sum(p.unsqueeze(1) * a * p.unsqueeze(0)) * 0.5 + sum(p * p * p);
  };
  auto A = values(a), X = values(x), V = values(v);
  std::vector<double> want(4);
  for (size_t i = 0; i < 4; ++i) {
    want[i] = 6 * X[i] * V[i];
    for (size_t j = 0; j < 4; ++j) want[i] += (A[i * 4 + j] + A[j * 4 + i]) / 2 * V[j];
  }
  expect_near(values(hessian_vector_product(f, x, v)), want);
  EXPECT_FALSE(x.requires_grad());
}

TEST(SecondOrder, HessianVectorProductAgainstFiniteDifferences) {
  Tensor w = random_tensor(4, {5, 3}), x = random_tensor(5, {3}), v = random_tensor(6, {3});
  auto f = [&](const Tensor& p) {
    Tensor h = tanh(matmul(w, p));
    return logsumexp(h * h + sin(h), {}) + mean(sigmoid(h));
  };
  auto gradient = [&](double h) {
    Tensor p = (x + v * h).detach().set_requires_grad();
    return values(grad(f(p), p));
  };
  auto got = values(hessian_vector_product(f, x, v));
  const double h = 1e-3;
  auto p1 = gradient(h), m1 = gradient(-h), p2 = gradient(2 * h), m2 = gradient(-2 * h);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_NEAR(got[i], (8 * (p1[i] - m1[i]) - (p2[i] - m2[i])) / (12 * h), 1e-9);
  }
}

TEST(SecondOrder, HessianOfALinearFunctionIsZero) {
  Tensor x = vector_of({1, 2});
  expect_near(values(hessian_vector_product([](const Tensor& p) { return sum(p * 3.0); }, x, x)),
              {0, 0});
}

TEST(SecondOrder, HigherDerivativesOfAPower) {
  Tensor x = leaf({3});
  Tensor y = x * x * x * x;
  double want[] = {108, 108, 72, 24};
  for (double w : want) {
    y = grad(y, x, {.create_graph = true});
    EXPECT_NEAR(y.item(), w, 1e-9);
  }
}

// d/dx of the mean of f over a batch is the mean of per-example gradients, which come from one pass
// when each example owns a copy of the parameters.
TEST(SecondOrder, PerExampleGradientsSumToTheBatchGradient) {
  const int64_t N = 6;
  Tensor x = random_tensor(7, {N, 4}), target = random_tensor(8, {N, 3});
  Tensor w = random_tensor(9, {4, 3}).set_requires_grad();
  auto loss = [&](const Tensor& inputs, const Tensor& weights, const Tensor& wanted) {
    Tensor error = tanh(matmul(inputs, weights)) - wanted;
    return sum(error * error);
  };
  Tensor whole = grad(loss(x, w, target), w);
  Tensor copies = w.detach().unsqueeze(0).expand({N, 4, 3}).clone().set_requires_grad();
  Tensor each = grad(loss(x.unsqueeze(1), copies, target.unsqueeze(1)), copies);
  expect_near(values(sum(each, {0})), values(whole));
  for (int64_t i = 0; i < N; ++i) {  // and each is what its example alone gives
    Tensor alone = grad(loss(x.slice(0, i, i + 1), w, target.slice(0, i, i + 1)), w);
    expect_near(values(each.select(0, i)), values(alone));
  }
}

// Gulrajani et al. 2017: (|df/dx| - 1)^2 differentiated with respect to the parameters.
TEST(SecondOrder, GradientPenalty) {
  Tensor x = random_tensor(10, {5, 3}), w = random_tensor(11, {3, 4}), u = random_tensor(12, {4});
  auto penalty = [&](const Tensor& weights) {
    Tensor point = x.detach().set_requires_grad();
    Tensor score = matmul(tanh(matmul(point, weights)), u);
    Tensor g = grad(sum(score), point, {.create_graph = true});
    Tensor excess = sqrt(sum(g * g, {1})) - 1.0;
    return mean(excess * excess);
  };
  Tensor leaf_w = w.clone().set_requires_grad();
  Tensor got = grad(penalty(leaf_w), leaf_w);
  Tensor direction = random_tensor(13, {3, 4});
  auto at = [&](double h) { return penalty(w + direction * h).item(); };
  const double h = 1e-3;
  double measured = (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h);
  EXPECT_NEAR(sum(got * direction).item(), measured, 1e-9);
}

}  // namespace
}  // namespace strata
