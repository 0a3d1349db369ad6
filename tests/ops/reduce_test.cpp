// What the op table does not ask of reductions: accuracy, threads, NaN and infinity, ties, zeros.
#include "engine/ops/reduce.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "kernels/common/parallel.h"
#include "tests/support/op_table.h"

namespace strata::test {
namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr float nan = std::numeric_limits<float>::quiet_NaN();

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && a.dtype() == b.dtype() &&
         std::memcmp(a.raw(), b.raw(), static_cast<size_t>(a.numel()) * size_of(a.dtype())) == 0;
}

TEST(Sum, OfTenMillionIsAccurate) {
  int64_t n = 10000000;
  for (float value : {1.0f, 0.1f, 0.7f}) {
    Tensor x = full({n}, value);
    double want = static_cast<double>(value) * static_cast<double>(n);
    EXPECT_NEAR(sum(x).item() / want, 1, 1e-6) << value;
    EXPECT_NEAR(mean(x).item() / value, 1, 1e-6) << value;
    Tensor columns = sum(x.reshape({n / 10, 10}), {0});
    for (double c : columns.to_vector<double>()) EXPECT_NEAR(c / (want / 10), 1, 1e-6) << value;
  }
}

TEST(Sum, DoesNotDependOnTheThreadCount) {
  Random random(1);
  Tensor x = to_tensor(random.uniform({96, 40, 52}), DType::f32);
  std::vector<std::function<Tensor()>> ops;
  for (const Dims& axes : {Dims{}, Dims{0}, Dims{1}, Dims{2}, Dims{0, 1}, Dims{0, 2}, Dims{1, 2}}) {
    ops.push_back([=] { return sum(x, axes); });
    ops.push_back([=] { return sum(x.transpose(0, 2), axes); });
    ops.push_back([=] { return var(x, axes); });
    ops.push_back([=] { return logsumexp(x, axes); });
    ops.push_back([=] { return max(x, axes); });
  }
  for (int axis : {0, 1, 2}) {
    ops.push_back([=] { return cumsum(x, axis); });
    ops.push_back([=] { return prod(x, axis); });
    ops.push_back([=] { return sort(x, axis).values; });
  }
  int before = thread_count();
  for (size_t i = 0; i < ops.size(); ++i) {
    set_thread_count(1);
    Tensor one = ops[i]();
    for (int threads : {2, 5}) {
      set_thread_count(threads);
      EXPECT_TRUE(same_bits(one, ops[i]())) << "op " << i << " with " << threads << " threads";
    }
  }
  set_thread_count(before);
}

TEST(Sum, OfIntegersAndBoolIsI64) {
  for (DType dtype : {DType::i64, DType::i32, DType::u8, DType::boolean}) {
    Tensor ones_of = full({70000}, 1, dtype);
    EXPECT_EQ(sum(ones_of).dtype(), DType::i64);
    EXPECT_EQ(sum(ones_of).item(), 70000);
  }
  EXPECT_EQ(sum(full({3}, 2e9, DType::i32)).item(), 6e9);
}

TEST(Sum, OfNothing) {
  Tensor none = empty({0, 3});
  EXPECT_EQ(sum(none).item(), 0);
  EXPECT_EQ(prod(none, 0).to_vector<double>(), (std::vector<double>{1, 1, 1}));
  EXPECT_TRUE(std::isnan(mean(none).item()));
  EXPECT_TRUE(std::isnan(var(none).item()));
  EXPECT_EQ(norm(none).item(), 0);
  EXPECT_EQ(logsumexp(none, {}).item(), -infinity);
  EXPECT_EQ(any(none).item(), 0);
  EXPECT_EQ(all(none).item(), 1);
}

TEST(Var, KeepsItsDigitsFarFromZero) {
  Random random(2);
  Array near = random.uniform({200, 50}, -1, 1), far = near;
  for (double& v : far.values) v = static_cast<float>(v + 4096) - 4096;  // as f32 holds it
  Array shifted = far;
  for (double& v : shifted.values) v += 4096;
  for (const Dims& axes : {Dims{}, Dims{0}, Dims{1}}) {
    auto want = var(to_tensor(far, DType::f64), axes).to_vector<double>();
    auto got = var(to_tensor(shifted, DType::f32), axes).to_vector<double>();
    for (size_t i = 0; i < want.size(); ++i) EXPECT_NEAR(got[i] / want[i], 1, 1e-6);
  }
  EXPECT_EQ(var(full({1000, 30}, 0.1)).item(), 0) << "all elements are equal";
}

TEST(Var, OfOneElementIsNaN) {
  EXPECT_TRUE(std::isnan(var(ones({1})).item()));
  EXPECT_EQ(var(ones({1}), {}, false, 0).item(), 0);
}

TEST(Max, NaNWins) {
  for (int64_t place : {0, 1, 77, 4999}) {
    Tensor x = full({5000}, 1);
    x.data<float>()[place] = nan;
    EXPECT_TRUE(std::isnan(max(x).item()));
    EXPECT_TRUE(std::isnan(min(x).item()));
    EXPECT_EQ(argmax(x, 0).item(), place);
    EXPECT_EQ(argmin(x, 0).item(), place);
    Tensor columns = max(x.reshape({100, 50}), {0});
    for (int64_t c = 0; c < 50; ++c) {
      EXPECT_EQ(std::isnan(columns.data<float>()[c]), c == place % 50) << c;
    }
  }
  EXPECT_EQ(max(full({100}, -infinity)).item(), -infinity);
}

TEST(Max, SharesItsGradientAmongTies) {
  Tensor x = from_values({3, 1, 3, 3});
  x.set_requires_grad();
  max(x).backward();
  auto g = x.grad().to_vector<double>();
  for (size_t i : {0, 2, 3}) EXPECT_NEAR(g[i], 1.0 / 3, 1e-7);
  EXPECT_EQ(g[1], 0);
}

TEST(LogSumExp, StandsInfinities) {
  Tensor x = from_vector<float>({-infinity, -infinity, 1, -infinity, 5, infinity, 2, nan, 900, 900},
                                {5, 2});
  x.set_requires_grad();
  Tensor y = logsumexp(x, {1});
  auto v = y.to_vector<double>();
  EXPECT_EQ(v[0], -infinity);
  EXPECT_NEAR(v[1], 1, 1e-6);
  EXPECT_EQ(v[2], infinity);
  EXPECT_TRUE(std::isnan(v[3]));
  EXPECT_NEAR(v[4], 900 + std::log(2.0), 1e-4);
  sum(y).backward();
  auto g = x.grad().to_vector<double>();
  EXPECT_EQ(g[0], 0);
  EXPECT_EQ(g[1], 0);
  EXPECT_NEAR(g[2], 1, 1e-6);
  EXPECT_EQ(g[3], 0);
  EXPECT_NEAR(g[8], 0.5, 1e-4);
}

TEST(Norm, HasGradientZeroAtZero) {
  Tensor x = zeros({2, 3});
  x.data<float>()[0] = 3;
  x.data<float>()[1] = 4;
  x.set_requires_grad();
  sum(norm(x, {1})).backward();
  auto g = x.grad().to_vector<double>();
  EXPECT_NEAR(g[0], 0.6, 1e-7);
  EXPECT_NEAR(g[1], 0.8, 1e-7);
  for (size_t i : {2, 3, 4, 5}) EXPECT_EQ(g[i], 0);
}

TEST(Prod, GradientWithZeros) {
  Tensor x = from_vector<float>({2, 0, 3, 0, 0, 5, 2, 3, 4}, {3, 3});
  x.set_requires_grad();
  sum(prod(x, 1)).backward();
  EXPECT_EQ(x.grad().to_vector<double>(), (std::vector<double>{0, 6, 0, 0, 0, 0, 12, 8, 6}));
}

TEST(Prod, KeepsIntermediateProductsInRange) {
  Tensor x = from_values({1e30f, 1e30f, 1e-30f, 1e-30f});
  EXPECT_NEAR(prod(x, 0).item(), 1, 1e-5);
}

TEST(Any, NaNIsTrue) {
  EXPECT_EQ(any(from_values({0, nan})).item(), 1);
  EXPECT_EQ(all(from_values({1, nan})).item(), 1);
  EXPECT_EQ(any(from_values({0, -0.0f})).item(), 0);
}

TEST(Cumsum, GradientRunsFromTheEnd) {
  Tensor x = from_values({1, 2, 3});
  x.set_requires_grad();
  Tensor weights = from_values({1, 10, 100});
  sum(cumsum(x, 0) * weights).backward();
  EXPECT_EQ(x.grad().to_vector<double>(), (std::vector<double>{111, 110, 100}));
}

}  // namespace
}  // namespace strata::test
