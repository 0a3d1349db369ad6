// Softmax on the (simulated) GPU, rung by rung, against float64.
#include <algorithm>

#include "kernels/softmax/rung.h"
#include "tests/kernels/support/gpu_test.h"

namespace strata {
namespace {

using test::DeviceBuffer;

struct Shape {
  int64_t outer, size, inner = 1;
  int64_t count() const { return outer * size * inner; }
};

template <class T>
std::vector<double> widened(const std::vector<T>& values) {
  std::vector<double> wide(values.size());
  for (size_t i = 0; i < values.size(); ++i)
    wide[i] = static_cast<double>(static_cast<Compute<T>>(values[i]));
  return wide;
}

// Calls f(offset of element 0, stride) for each row.
void for_each_row(const Shape& s, const std::function<void(size_t, size_t)>& f) {
  for (int64_t o = 0; o < s.outer; ++o)
    for (int64_t i = 0; i < s.inner; ++i)
      f(static_cast<size_t>(o * s.size * s.inner + i), static_cast<size_t>(s.inner));
}

std::vector<double> softmax_oracle(const std::vector<double>& x, const Shape& s, bool log) {
  std::vector<double> y(x.size());
  for_each_row(s, [&](size_t at, size_t stride) {
    const auto n = static_cast<size_t>(s.size);
    double largest = -INFINITY, sum = 0;
    for (size_t i = 0; i < n; ++i) largest = std::max(largest, x[at + i * stride]);
    for (size_t i = 0; i < n; ++i) sum += std::exp(x[at + i * stride] - largest);
    for (size_t i = 0; i < n; ++i) {
      const double d = x[at + i * stride] - largest;
      y[at + i * stride] = log ? d - std::log(sum) : std::exp(d) / sum;
    }
  });
  return y;
}
// magnitude: of the terms of dx, for the bound.
std::vector<double> gradient_oracle(const std::vector<double>& y, const std::vector<double>& dy,
                                    const Shape& s, bool log, std::vector<double>& magnitude) {
  std::vector<double> dx(y.size());
  magnitude.resize(y.size());
  for_each_row(s, [&](size_t at, size_t stride) {
    double sum = 0, size = 0;
    for (size_t i = at; i < at + static_cast<size_t>(s.size) * stride; i += stride) {
      sum += log ? dy[i] : dy[i] * y[i];
      size += std::abs(log ? dy[i] : dy[i] * y[i]);
    }
    for (size_t i = at; i < at + static_cast<size_t>(s.size) * stride; i += stride) {
      const double share = log ? std::exp(y[i]) : y[i];
      dx[i] = log ? dy[i] - share * sum : share * (dy[i] - sum);
      magnitude[i] = share * size + (log ? 1 : share) * std::abs(dy[i]);
    }
  });
  return dx;
}

// f32 work: relative error of exp, of the sum and of the maximum's subtraction, |x - m| < 16.
template <class T>
double work_error(const Shape& s) {
  const double u = std::is_same_v<T, double> ? 0x1p-53 : 0x1p-24;
  return u * (40 + 8 * std::sqrt(static_cast<double>(s.size)));
}

template <class T>
void check(const gpu::SoftmaxRung& rung, const Shape& s, bool log, size_t misalign, uint64_t seed) {
  SCOPED_TRACE(std::string(rung.name) + " " + name_of(dtype_of<T>()) + " [" +
               std::to_string(s.outer) + "," + std::to_string(s.size) + "," +
               std::to_string(s.inner) + "]" + (log ? " log" : "") + " misaligned by " +
               std::to_string(misalign));
  const auto n = static_cast<size_t>(s.count());
  const auto x = test::random_values<T>(n, seed, -8, 8), dy = test::random_values<T>(n, seed + 1);
  DeviceBuffer<T> dx(x, misalign), dev_y(n, misalign);
  const SoftmaxArgs args{dx.data(), dev_y.data(), s.outer, s.size, s.inner, dtype_of<T>(), log};
  ASSERT_TRUE(rung.takes(args));
  rung.run(args);
  const std::vector<T> y = dev_y.host();
  const std::vector<double> expected = softmax_oracle(widened(x), s, log);
  const double error = work_error<T>(s);
  auto bound = [&](size_t i) {
    const double size = log ? 16 + std::abs(expected[i]) : std::abs(expected[i]);
    return error * size + 1.01 * test::unit_roundoff<T>() * std::abs(expected[i]) +
           1e-7 * (sizeof(T) == 2);
  };
  test::expect_within(y, expected, bound, "y");

  DeviceBuffer<T> dev_dy(dy, misalign), gradient(n, misalign);
  rung.gradient(
      {dev_y.data(), dev_dy.data(), gradient.data(), s.outer, s.size, s.inner, dtype_of<T>(), log});
  std::vector<double> magnitude;
  const std::vector<double> wanted = gradient_oracle(widened(y), widened(dy), s, log, magnitude);
  test::expect_within(
      gradient.host(), wanted,
      [&](size_t i) {
        return error * magnitude[i] + 1.01 * test::unit_roundoff<T>() * std::abs(wanted[i]) +
               1e-7 * (sizeof(T) == 2);
      },
      "dx");
}

template <class T>
class Softmax : public ::testing::Test {};
using Types = ::testing::Types<double, float, bf16, f16>;
TYPED_TEST_SUITE(Softmax, Types);

TYPED_TEST(Softmax, EveryRungMatchesFloat64) {
  for (const gpu::SoftmaxRung& rung : gpu::softmax_rungs)
    for (const Shape& s : {Shape{1, 1}, {3, 7}, {5, 64}, {2, 257}, {1, 1031}})
      for (bool log : {false, true})
        for (size_t misalign : {0, 1}) check<TypeParam>(rung, s, log, misalign, 11);
}
TYPED_TEST(Softmax, AxesThatAreNotTheLast) {
  for (const Shape& s : {Shape{2, 5, 3}, {1, 33, 40}, {3, 1, 65}})
    for (bool log : {false, true}) check<TypeParam>(gpu::softmax_rungs[4], s, log, 1, 12);
  // Whole vectors of columns: one part; several, of which the last is short; narrow and wide
  // blocks.
  for (const Shape& s : {Shape{2, 5, 8}, {1, 33, 40}, {2, 3, 520}, {1, 300, 264}, {3, 1500, 16}})
    for (bool log : {false, true}) check<TypeParam>(gpu::softmax_rungs[4], s, log, 0, 25);
  check<TypeParam>(gpu::softmax_rungs[4], {1, 1100, 9}, false, 0, 26);
}
TYPED_TEST(Softmax, ColumnsOfAFullDeviceAreOnePart) {
  gpu::DeviceInfo device = gpu::h100();
  device.multiprocessors = 1;
  test::Pretend pretend(device);
  for (bool log : {false, true}) check<TypeParam>(gpu::softmax_rungs[4], {4, 200, 264}, log, 0, 27);
}
TYPED_TEST(Softmax, UnderEverySchedule) {
  test::for_each_schedule([] {
    check<TypeParam>(gpu::softmax_rungs[4], {1, 150, 64}, false, 0, 28);
    for (const gpu::SoftmaxRung& rung : gpu::softmax_rungs)
      check<TypeParam>(rung, {2, 301}, false, 1, 13);
  });
}

TEST(SoftmaxRows, LongRowsSpanWarpsBlocksAndClusters) {
  for (int64_t size : {900, 3000, 9000, 40000, 70000}) {
    check<bf16>(gpu::pick_softmax({nullptr, nullptr, 2, size, 1, DType::bf16, false}), {2, size},
                size % 200 == 0, 3, 14);
    check<float>(gpu::pick_softmax({nullptr, nullptr, 1, size, 1, DType::f32, false}), {1, size},
                 size % 200 != 0, 1, 15);
  }
}

// A block of a device that is full goes on to the next row.
TEST(SoftmaxRows, BlocksStayForSeveralRows) {
  gpu::DeviceInfo device = gpu::h100();
  device.multiprocessors = 1;
  test::Pretend pretend(device);
  const gpu::SoftmaxRung& cluster = gpu::softmax_rungs[3];
  ASSERT_STREQ(cluster.name, "cluster");
  test::for_each_schedule(
      [&] {
        check<bf16>(cluster, {19, 1033}, false, 3, 16);
        check<float>(cluster, {19, 1032}, true, 0, 17);
        check<bf16>(cluster, {5, 30003}, false, 1, 18);
      },
      2);
}

std::string picked(DType dtype, int64_t size, int64_t inner = 1) {
  return gpu::pick_softmax({nullptr, nullptr, 8, size, inner, dtype, false}).name;
}
TEST(SoftmaxLauncher, PicksByShapeAndArchitecture) {
  if (!gpu::simulated()) GTEST_SKIP() << "needs a device that can be pretended";
  EXPECT_EQ(picked(DType::f32, 1000), "registers");
  EXPECT_EQ(picked(DType::bf16, 16384), "registers");
  EXPECT_EQ(picked(DType::f32, 16384), "cluster");
  EXPECT_EQ(picked(DType::f32, 200000), "cluster");
  EXPECT_EQ(picked(DType::f32, 1000000), "online");
  EXPECT_EQ(picked(DType::f32, 1000, 2), "columns");
  test::Pretend pretend(gpu::a100());
  EXPECT_EQ(picked(DType::bf16, 40000), "cluster");
  EXPECT_EQ(picked(DType::f32, 40000), "online");
  EXPECT_EQ(picked(DType::bf16, 16384), "registers");
  EXPECT_EQ(picked(DType::f32, 17000), "cluster");
}
TEST(SoftmaxLauncher, TheGradientHoldsTwoRows) {
  if (!gpu::simulated()) GTEST_SKIP() << "needs a device that can be pretended";
  auto backward = [](int64_t size, int64_t inner = 1) {
    return std::string(
        gpu::pick_softmax_gradient({nullptr, nullptr, nullptr, 8, size, inner}).name);
  };
  EXPECT_EQ(backward(8192), "registers");
  EXPECT_EQ(backward(200000), "cluster");
  EXPECT_EQ(picked(DType::f32, 300000), "cluster");
  EXPECT_EQ(backward(300000), "online");
  EXPECT_EQ(backward(100, 2), "columns");
}
TEST(SoftmaxLauncher, RunsOnADeviceWithoutClusters) {
  test::Pretend pretend(gpu::a100());
  for (int64_t size : {17000, 40000})
    check<float>(gpu::pick_softmax({nullptr, nullptr, 2, size, 1, DType::f32, false}), {2, size},
                 false, 0, 16);
}
TEST(SoftmaxLauncher, EmptyArraysAreFine) {
  gpu::softmax({nullptr, nullptr, 0, 5, 1, DType::f32, false});
  gpu::softmax({nullptr, nullptr, 3, 0, 2, DType::f32, false});
  gpu::softmax_gradient({nullptr, nullptr, nullptr, 2, 0, 1, DType::f32, false});
  gpu::synchronize(nullptr);
}

// What the CPU twin makes of rows with infinities and NaN, every rung makes too.
TEST(SoftmaxRows, SpecialValuesAsTheCpu) {
  const int64_t n = 300;
  const float inf = INFINITY;
  std::vector<float> x = test::random_values<float>(static_cast<size_t>(6 * n), 17);
  for (int64_t i = 0; i < n; ++i) x[static_cast<size_t>(i)] = -inf;
  x[static_cast<size_t>(n + 299)] = NAN;
  x[static_cast<size_t>(2 * n + 17)] = inf;
  for (int64_t i = 1; i < n; ++i) x[static_cast<size_t>(3 * n + i)] = -inf;
  x[static_cast<size_t>(4 * n + 250)] = -inf;
  x[static_cast<size_t>(5 * n)] = NAN;
  x[static_cast<size_t>(5 * n + 1)] = inf;
  for (bool log : {false, true}) {
    std::vector<float> y(x.size());
    cpu::softmax({x.data(), y.data(), 6, n, 1, DType::f32, log});
    for (const gpu::SoftmaxRung& rung : gpu::softmax_rungs) {
      SCOPED_TRACE(rung.name);
      DeviceBuffer<float> dx(x), dev_y(x.size());
      rung.run({dx.data(), dev_y.data(), 6, n, 1, DType::f32, log});
      test::expect_within(dev_y.host(), widened(y), [](size_t) { return 1e-5; });
    }
  }
}

// The hardware's 2^x serves types of 16 bits. A row of the lowest number, as masks make them, is
// uniform.
TEST(SoftmaxRows, SpecialValuesOf16BitsAsTheCpu) {
  const size_t n = 304;
  const float inf = INFINITY, lowest = -3.38e38f;
  std::vector<bf16> x = test::random_values<bf16>(6 * n, 19);
  for (size_t i = 0; i < n; ++i) {
    x[i] = -inf;
    x[2 * n + i] = lowest;
    x[3 * n + i] = i == 7 ? bf16(-1.5f) : bf16(lowest);
    x[4 * n + i] = i == 300 ? bf16(2.0f) : bf16(-inf);
  }
  x[n + 299] = NAN;
  x[5 * n + 1] = inf;
  for (bool log : {false, true}) {
    std::vector<bf16> y(x.size());
    cpu::softmax({x.data(), y.data(), 6, n, 1, DType::bf16, log});
    for (const gpu::SoftmaxRung& rung : gpu::softmax_rungs) {
      SCOPED_TRACE(rung.name);
      DeviceBuffer<bf16> dx(x), dev_y(x.size());
      rung.run({dx.data(), dev_y.data(), 6, n, 1, DType::bf16, log});
      const std::vector<double> wanted = widened(y);
      test::expect_within(dev_y.host(), wanted,
                          [&](size_t i) { return 0x1p-7 * std::abs(wanted[i]); });
    }
  }
}
TEST(SoftmaxRows, WholeChunks) {
  for (const gpu::SoftmaxRung& rung : gpu::softmax_rungs)
    for (bool log : {false, true}) {
      check<bf16>(rung, {3, 2048}, log, 0, 20);
      check<f16>(rung, {2, 1032}, log, 0, 21);
      check<float>(rung, {2, 1024}, log, 0, 22);
      check<double>(rung, {2, 514}, log, 0, 23);
    }
  for (int64_t size : {8192, 16384, 40000})
    check<bf16>(gpu::pick_softmax({nullptr, nullptr, 2, size, 1, DType::bf16, false}), {2, size},
                false, 0, 24);
}

// Columns with infinities and NaN in one part of the axis or all, as rows of them.
TEST(SoftmaxColumns, SpecialValuesAsTheCpu) {
  const size_t size = 400, inner = 64;
  const float inf = INFINITY;
  std::vector<float> x = test::random_values<float>(size * inner, 29);
  for (size_t i = 0; i < size; ++i) {
    x[i * inner] = -inf;
    if (i != 399) x[i * inner + 1] = -inf;
    if (i < 250) x[i * inner + 2] = -inf;
  }
  x[3] = NAN;
  x[390 * inner + 4] = NAN;
  x[200 * inner + 5] = inf;
  x[17 * inner + 6] = -inf;
  for (bool log : {false, true}) {
    std::vector<float> y(x.size());
    cpu::softmax({x.data(), y.data(), 1, size, inner, DType::f32, log});
    DeviceBuffer<float> dx(x), dev_y(x.size());
    gpu::softmax({dx.data(), dev_y.data(), 1, size, inner, DType::f32, log});
    test::expect_within(dev_y.host(), widened(y), [](size_t) { return 1e-5; });
  }
}

TEST(SoftmaxRows, EqualBitsRunToRun) {
  const auto x = test::random_values<bf16>(3 * 5000, 18);
  for (const gpu::SoftmaxRung& rung : gpu::softmax_rungs) {
    std::vector<std::vector<bf16>> results;
    test::for_each_schedule(
        [&] {
          DeviceBuffer<bf16> dx(x), dev_y(x.size());
          rung.run({dx.data(), dev_y.data(), 3, 5000, 1, DType::bf16, false});
          results.push_back(dev_y.host());
        },
        2);
    for (size_t run = 1; run < results.size(); ++run)
      test::expect_same_bits(results[0], results[run], rung.name);
  }
}
TEST(SoftmaxColumns, EqualBitsRunToRun) {
  const auto y = test::random_values<bf16>(625 * 24, 30),
             dy = test::random_values<bf16>(625 * 24, 31);
  std::vector<std::vector<bf16>> results;
  test::for_each_schedule(
      [&] {
        DeviceBuffer<bf16> dev_y(y), dev_dy(dy), softmax(y.size()), gradient(y.size());
        gpu::softmax({dev_y.data(), softmax.data(), 1, 625, 24, DType::bf16, false});
        gpu::softmax_gradient(
            {dev_y.data(), dev_dy.data(), gradient.data(), 1, 625, 24, DType::bf16, false});
        results.push_back(softmax.host());
        for (bf16 value : gradient.host()) results.back().push_back(value);
      },
      2);
  for (size_t run = 1; run < results.size(); ++run)
    test::expect_same_bits(results[0], results[run], "columns");
}

}  // namespace
}  // namespace strata
