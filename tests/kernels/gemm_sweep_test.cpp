// Product kernels against the sum as it is written, over random sizes, strides and batches, in
// every type; and the cache of primitives.
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "kernels/dnnl/primitive.h"
#include "kernels/gemm/gemm.h"

namespace strata::test {
namespace {

class Sweep {
 public:
  int64_t integer(int64_t low, int64_t high) {  // both included
    return low + static_cast<int64_t>(engine_() % static_cast<uint64_t>(high - low + 1));
  }
  bool chance(int64_t one_in) { return integer(1, one_in) == 1; }
  template <class T>
  std::vector<T> values(int64_t count) {
    std::vector<T> out(static_cast<size_t>(count));
    for (T& v : out) v = static_cast<T>(integer(-8, 8)) / (std::is_floating_point_v<T> ? 8 : 1);
    return out;
  }
  // Strides of one of four layouts (rows, columns, padded rows, both spread out); returns the
  // number of elements that a matrix spans.
  int64_t layout(int64_t rows, int64_t columns, int64_t* row, int64_t* column) {
    switch (integer(0, 3)) {
      case 0:
        *row = columns, *column = 1;
        return rows * columns;
      case 1:
        *row = 1, *column = rows;
        return rows * columns;
      case 2:
        *row = columns + 3, *column = 1;
        return rows * (columns + 3);
      default:
        *row = 2 * columns + 1, *column = 2;
        return rows * (2 * columns + 1);
    }
  }

 private:
  std::mt19937_64 engine_{7};
};

struct Problem {
  GemmArguments g;
  int64_t batches = 1, a_span = 0, b_span = 0;
};

Problem random_problem(Sweep& sweep) {
  Problem p;
  GemmArguments& g = p.g;
  bool large = sweep.chance(25);
  g.batch_rank = large ? 0 : static_cast<int>(sweep.integer(0, 3));
  g.M = large             ? sweep.integer(sweep.chance(3) ? 2 : 70, 120)
        : sweep.chance(6) ? 1
                          : sweep.integer(1, 40);
  g.N = large ? sweep.integer(70, 140) : sweep.chance(6) ? 1 : sweep.integer(1, 40);
  g.K = large ? sweep.integer(200, 400) : sweep.integer(0, 40);
  p.a_span = std::max<int64_t>(1, sweep.layout(g.M, g.K, &g.a_row, &g.a_column));
  p.b_span = std::max<int64_t>(1, sweep.layout(g.K, g.N, &g.b_row, &g.b_column));
  for (int i = g.batch_rank - 1; i >= 0; --i) {
    g.batch[i] = sweep.integer(1, 4);
    p.batches *= g.batch[i];
    bool a_shared = sweep.chance(4), b_shared = sweep.chance(4);
    g.a_batch[i] = a_shared ? 0 : p.a_span;
    g.b_batch[i] = b_shared ? 0 : p.b_span;
    if (!a_shared) p.a_span *= g.batch[i];
    if (!b_shared) p.b_span *= g.batch[i];
  }
  if (sweep.chance(2)) g.epilogue.activation = Activation::relu;
  return p;
}

// Runs the kernel on T and returns the largest error against sums in double.
template <class T>
double error_of(Sweep& sweep, const Problem& p, bool with_bias) {
  GemmArguments g = p.g;
  g.dtype = dtype_of<T>();
  if (!std::is_floating_point_v<T>) g.epilogue.activation = Activation::none;
  auto a = sweep.values<T>(p.a_span), b = sweep.values<T>(p.b_span), bias = sweep.values<T>(g.N);
  std::vector<T> c(static_cast<size_t>(p.batches * g.M * g.N), static_cast<T>(77));
  g.a = a.data(), g.b = b.data(), g.c = c.data();
  g.epilogue.bias = with_bias ? bias.data() : nullptr;
  cpu::gemm(g);
  double error = 0;
  for (int64_t index = 0; index < static_cast<int64_t>(c.size()); ++index) {
    int64_t j = index % g.N, i = index / g.N % g.M, rest = index / g.N / g.M;
    int64_t a_at = i * g.a_row, b_at = j * g.b_column;
    for (int axis = g.batch_rank - 1; axis >= 0; --axis) {
      a_at += rest % g.batch[axis] * g.a_batch[axis];
      b_at += rest % g.batch[axis] * g.b_batch[axis];
      rest /= g.batch[axis];
    }
    double sum = with_bias ? static_cast<double>(bias[j]) : 0;
    for (int64_t k = 0; k < g.K; ++k) {
      sum += static_cast<double>(a[a_at + k * g.a_column]) *
             static_cast<double>(b[b_at + k * g.b_row]);
    }
    if (g.epilogue.activation == Activation::relu) sum = std::max(sum, 0.0);
    error = std::max(error, std::abs(static_cast<double>(c[index]) - sum) / (1 + std::abs(sum)));
  }
  return error;
}

std::string text(const GemmArguments& g) {
  return std::to_string(g.M) + "x" + std::to_string(g.K) + "x" + std::to_string(g.N) + " batch " +
         std::to_string(g.batch_rank) + " strides " + std::to_string(g.a_row) + "," +
         std::to_string(g.a_column) + " " + std::to_string(g.b_row) + "," +
         std::to_string(g.b_column);
}

TEST(GemmKernels, EqualTheSumOverRandomProblems) {
  Sweep sweep;
  for (int i = 0; i < 400; ++i) {
    Problem p = random_problem(sweep);
    bool bias = sweep.chance(2);
    EXPECT_LT(error_of<float>(sweep, p, bias), 2e-5) << text(p.g);
    EXPECT_LT(error_of<double>(sweep, p, bias), 1e-12) << text(p.g);
    EXPECT_EQ(error_of<int32_t>(sweep, p, bias), 0) << text(p.g);
    EXPECT_EQ(error_of<int64_t>(sweep, p, bias), 0) << text(p.g);
  }
}

// a [M, K] and b [K, N] in row-major order.
template <class T>
std::vector<T> product(int64_t M, int64_t N, int64_t K, const std::vector<T>& a,
                       const std::vector<T>& b) {
  std::vector<T> c(static_cast<size_t>(M * N));
  GemmArguments g;
  g.dtype = dtype_of<T>();
  g.M = M, g.N = N, g.K = K;
  g.a = a.data(), g.a_row = K, g.a_column = 1;
  g.b = b.data(), g.b_row = N, g.b_column = 1;
  g.c = c.data();
  cpu::gemm(g);
  return c;
}

TEST(GemmKernels, IntegersWrap) {
  std::vector<int32_t> a(64, 1 << 30), b(64, 4);
  EXPECT_EQ(product<int32_t>(8, 8, 8, a, b), std::vector<int32_t>(64, 0));
}

TEST(GemmKernels, OwnLoopsGiveTheSameBitsWithAnyThreadCount) {
  Sweep sweep;
  int64_t M = 150, N = 130, K = 300;
  std::vector<double> a(static_cast<size_t>(M * K)), b(static_cast<size_t>(K * N));
  for (auto* values : {&a, &b}) {
    for (double& v : *values) v = 1.0 / static_cast<double>(sweep.integer(1, 1000));
  }
  int before = thread_count();
  set_thread_count(1);
  auto one = product(M, N, K, a, b);
  set_thread_count(3);
  auto three = product(M, N, K, a, b);
  set_thread_count(before);
  EXPECT_EQ(one, three);
}

TEST(GemmKernels, ASecondCallMakesNoPrimitive) {
  Sweep sweep;
  auto a = sweep.values<float>(40 * 50), b = sweep.values<float>(50 * 60);
  auto first = product(40, 60, 50, a, b);
  uint64_t made = onednn::primitives_made();
  EXPECT_EQ(product(40, 60, 50, a, b), first);
  EXPECT_EQ(onednn::primitives_made(), made);
  product(40, 50, 60, b, b);
  EXPECT_GT(onednn::primitives_made(), made);
}

TEST(GemmKernels, ThreadsHaveTheirOwnPrimitives) {
  Sweep sweep;
  auto a = sweep.values<float>(40 * 50), b = sweep.values<float>(50 * 60);
  auto want = product(40, 60, 50, a, b);
  std::vector<std::vector<float>> got(4);
  std::vector<std::thread> threads;
  for (auto& result : got) {
    threads.emplace_back([&] {
      for (int i = 0; i < 20; ++i) result = product(40, 60, 50, a, b);
    });
  }
  for (auto& thread : threads) thread.join();
  for (auto& result : got) EXPECT_EQ(result, want);
}

TEST(PrimitiveCache, ForgetsTheLeastRecentlyUsed) {
  onednn::Cache<int> cache;
  int made = 0;
  auto find = [&](int64_t i) {
    onednn::Key key(99);
    key << i;
    return cache.find_or_make(key, [&] { return ++made; });
  };
  EXPECT_EQ(find(0), 1);
  for (int64_t i = 1; i < 2048; ++i) find(i);
  EXPECT_EQ(find(0), 1);  // still there, and now the most recent
  find(5000);             // one too many: 1 goes
  EXPECT_EQ(find(0), 1);
  EXPECT_EQ(made, 2049);
  find(1);
  EXPECT_EQ(made, 2050);
  EXPECT_LE(cache.size(), 2048u);
}

}  // namespace
}  // namespace strata::test
