// Layer and RMS norm on the (simulated) GPU, rung by rung, against float64.
#include "kernels/norm/rung.h"
#include "tests/kernels/support/gpu_test.h"

namespace strata {
namespace {

using test::DeviceBuffer;

struct Case {
  int64_t rows, channels;
  bool centred = true, scaled = true, shifted = true;
  size_t misalign = 0;
  double offset = 0;   // of the mean
  double outlier = 0;  // unless 0, the first element of each row
};

template <class T>
std::vector<double> widened(const std::vector<T>& values) {
  std::vector<double> wide(values.size());
  for (size_t i = 0; i < values.size(); ++i)
    wide[i] = static_cast<double>(static_cast<Compute<T>>(values[i]));
  return wide;
}

// Everything in float64; magnitudes for the bounds.
struct Oracle {
  std::vector<double> y, mean, inverse, dx, dx_size, dscale, dscale_size, dshift, dshift_size;
};
Oracle oracle(const Case& c, const std::vector<double>& x, const std::vector<double>& dy,
              const std::vector<double>& scale, const std::vector<double>& shift) {
  const auto n = static_cast<size_t>(c.channels);
  Oracle o{x,
           {},
           {},
           x,
           x,
           std::vector<double>(n),
           std::vector<double>(n),
           std::vector<double>(n),
           std::vector<double>(n)};
  for (size_t r = 0; r < static_cast<size_t>(c.rows); ++r) {
    long double sum = 0;
    for (size_t i = 0; i < n; ++i) sum += x[r * n + i];
    const double mean = c.centred ? static_cast<double>(sum / static_cast<long double>(n)) : 0;
    double square = 0;
    for (size_t i = 0; i < n; ++i) square += std::pow(x[r * n + i] - mean, 2) / double(n);
    const double inverse = 1 / std::sqrt(square + 1e-5);
    o.mean.push_back(mean);
    o.inverse.push_back(inverse);
    double u_mean = 0, uz_mean = 0, size = 0;
    for (size_t i = 0; i < n; ++i) {
      const double z = (x[r * n + i] - mean) * inverse, g = dy[r * n + i], u = g * scale[i];
      o.y[r * n + i] = z * scale[i] + shift[i];
      u_mean += c.centred ? u / double(n) : 0;
      uz_mean += u * z / double(n);
      size += std::abs(u) * (1 + std::abs(z)) / double(n);
      o.dscale[i] += g * z;
      o.dscale_size[i] += std::abs(g * z);
      o.dshift[i] += g;
      o.dshift_size[i] += std::abs(g);
    }
    for (size_t i = 0; i < n; ++i) {
      const double z = (x[r * n + i] - mean) * inverse, u = dy[r * n + i] * scale[i];
      o.dx[r * n + i] = inverse * (u - u_mean - z * uz_mean);
      o.dx_size[r * n + i] = inverse * (std::abs(u) + size * (1 + std::abs(z)));
    }
  }
  return o;
}

template <class T>
void check(const gpu::RowNormRung& rung, const Case& c, uint64_t seed) {
  using C = Compute<T>;
  SCOPED_TRACE(std::string(rung.name) + " " + name_of(dtype_of<T>()) + " [" +
               std::to_string(c.rows) + "," + std::to_string(c.channels) + "] misaligned by " +
               std::to_string(c.misalign) + (c.centred ? "" : " rms"));
  const auto n = static_cast<size_t>(c.channels), rows = static_cast<size_t>(c.rows),
             count = rows * n;
  auto x = test::random_values<T>(count, seed, c.offset - 1, c.offset + 1);
  for (size_t r = 0; c.outlier != 0 && r < rows; ++r) x[r * n] = static_cast<T>(c.outlier);
  const auto dy = test::random_values<T>(count, seed + 1);
  const auto scale = c.scaled ? test::random_values<C>(n, seed + 2, 0.5, 2) : std::vector<C>(n, 1);
  const auto shift = c.shifted ? test::random_values<C>(n, seed + 3) : std::vector<C>(n, 0);
  const Oracle o = oracle(c, widened(x), widened(dy), widened(scale), widened(shift));
  // Rounding of the arithmetic: of sums of n, and of x - mean where the mean is large.
  const double u = std::is_same_v<T, double> ? 0x1p-53 : 0x1p-24;
  const double error = u * (16 + 4 * std::sqrt(double(n)) + 16 * std::abs(c.offset));
  const double tiny = sizeof(T) == 2 ? 1e-7 : 0, uT = 1.01 * test::unit_roundoff<T>();

  DeviceBuffer<T> dev_x(x, c.misalign), y(count, c.misalign), dev_dy(dy, c.misalign),
      dx(count, c.misalign);
  DeviceBuffer<C> dev_scale(scale, c.misalign), dev_shift(shift, c.misalign), mean(rows),
      inverse(rows), dscale(n, c.misalign), dshift(n);
  const RowNormArgs args{dev_x.data(),
                         y.data(),
                         c.scaled ? dev_scale.data() : nullptr,
                         c.shifted ? dev_shift.data() : nullptr,
                         c.centred ? mean.data() : nullptr,
                         inverse.data(),
                         c.rows,
                         c.channels,
                         1e-5,
                         dtype_of<T>()};
  if (!rung.takes(args)) return;
  rung.run(args);
  test::expect_within(
      y.host(), o.y, [&](size_t i) { return error * 8 + uT * std::abs(o.y[i]) + tiny; }, "y");
  if (c.centred)
    test::expect_within(
        mean.host(), o.mean, [&](size_t) { return error * (1 + std::abs(c.offset)); }, "mean");
  test::expect_within(
      inverse.host(), o.inverse, [&](size_t i) { return error * o.inverse[i] * 4; }, "inverse");

  const RowNormGradientArgs gradient{dev_x.data(),
                                     dev_dy.data(),
                                     args.scale,
                                     args.mean,
                                     inverse.data(),
                                     dx.data(),
                                     c.scaled ? dscale.data() : nullptr,
                                     c.shifted ? dshift.data() : nullptr,
                                     c.rows,
                                     c.channels,
                                     dtype_of<T>()};
  if (!rung.takes_gradient(gradient)) return;
  rung.gradient(gradient);
  test::expect_within(
      dx.host(), o.dx,
      [&](size_t i) { return 4 * error * o.dx_size[i] + uT * std::abs(o.dx[i]) + tiny; }, "dx");
  const double row_error = 4 * error + 8 * u * std::sqrt(double(rows));
  if (c.scaled)
    test::expect_within(
        dscale.host(), o.dscale,
        [&](size_t i) { return row_error * (o.dscale_size[i] + o.dshift_size[i]); }, "dscale");
  if (c.shifted)
    test::expect_within(
        dshift.host(), o.dshift, [&](size_t i) { return row_error * o.dshift_size[i]; }, "dshift");
}

template <class T>
class RowNorm : public ::testing::Test {};
using Types = ::testing::Types<double, float, bf16, f16>;
TYPED_TEST_SUITE(RowNorm, Types);

TYPED_TEST(RowNorm, EveryRungMatchesFloat64) {
  for (const gpu::RowNormRung& rung : gpu::row_norm_rungs)
    for (const Case& c : {Case{1, 1},
                          {3, 7, false},
                          {5, 64},
                          {9, 64, false, true, false},
                          {2, 257, true, false, false},
                          {3, 1032, true, true, true, 1},
                          {7, 24, true, false, true, 3},
                          {2, 2056}})
      check<TypeParam>(rung, c, 21);
}
TYPED_TEST(RowNorm, UnderEverySchedule) {
  test::for_each_schedule([] {
    for (const gpu::RowNormRung& rung : gpu::row_norm_rungs) {
      check<TypeParam>(rung, {9, 96}, 22);
      check<TypeParam>(rung, {2, 1100, false, true, true, 1}, 23);
    }
  });
}

TEST(RowNormRows, ALargeMeanKeepsItsDeviation) {
  for (const gpu::RowNormRung& rung : gpu::row_norm_rungs) {
    check<float>(rung, {2, 1024, true, true, true, 0, 1e4}, 24);
    check<double>(rung, {2, 300, true, true, true, 0, 1e5}, 25);
  }
}
// Far from the mean, where a rung takes a row's first elements for it. (one_pass, which takes the
// very first, is as inaccurate as it says.)
TEST(RowNormRows, AnOutlierIsNoMean) {
  for (const gpu::RowNormRung& rung : gpu::row_norm_rungs)
    for (int64_t n : {768, 4096, 20000}) {
      if (rung.run == gpu::row_norm_one_pass) continue;
      check<float>(rung, {2, n, true, true, true, 0, 0, 1000}, 44);
      check<bf16>(rung, {2, n, true, true, true, 0, 3, -1000}, 45);
    }
}
TEST(RowNormRows, LongRowsSpanWarpsBlocksAndClusters) {
  // 24576: the row takes 48 KiB, what a kernel gets without asking, beside what it has statically.
  for (int64_t n : {3000, 8192, 20000, 24576, 70000})
    for (const gpu::RowNormRung& rung : gpu::row_norm_rungs) {
      check<bf16>(rung, {2, n, n % 3 != 0}, 26);
      check<float>(rung, {1, n + 1, true, true, true, 1}, 27);
    }
}
TEST(RowNormRows, ManyRowsStayWithTheirBlocks) {
  for (const gpu::RowNormRung& rung : gpu::row_norm_rungs) {
    check<float>(rung, {3000, 8}, 28);
    check<bf16>(rung, {900, 136}, 29);
  }
}

// A block of a device that is full goes on to the next row.
TEST(RowNormRows, BlocksStayForSeveralRows) {
  gpu::DeviceInfo device = gpu::h100();
  device.multiprocessors = 1;
  test::Pretend pretend(device);
  const gpu::RowNormRung& cluster = gpu::row_norm_rungs[3];
  ASSERT_STREQ(cluster.name, "cluster");
  test::for_each_schedule(
      [&] {
        check<bf16>(cluster, {19, 1032}, 30);
        check<bf16>(cluster, {19, 1033, false}, 31);
        check<float>(cluster, {19, 516, true, true, true, 1}, 32);
        check<bf16>(cluster, {5, 20000}, 33);
        check<double>(cluster, {5, 3000}, 34);
      },
      2);
}

// The ring of a streaming rung comes round, and so do the two halves of its mailboxes. Of devices
// so small that a team has many rows: of warps, blocks, and clusters whose last block has less to
// do.
TEST(RowNormRows, RingsComeRoundManyTimes) {
  const gpu::RowNormRung& stream = gpu::row_norm_rungs[4];
  ASSERT_STREQ(stream.name, "stream");
  gpu::DeviceInfo device = gpu::h100();
  test::for_each_schedule(
      [&] {
        device.multiprocessors = 1;
        test::Pretend pretend(device);
        check<float>(stream, {300, 64}, 35);
        check<bf16>(stream, {101, 768}, 36);
        check<f16>(stream, {101, 1024, false}, 37);
        check<double>(stream, {101, 400}, 38);
        check<bf16>(stream, {21, 4104}, 39);
        check<float>(stream, {7, 8000}, 40);
      },
      2);
  test::for_each_schedule(
      [&] {
        device.multiprocessors = 8;
        test::Pretend pretend(device);
        check<bf16>(stream, {13, 20000, true, false, true}, 41);
        check<bf16>(stream, {9, 20008, false, true, false}, 42);
        check<double>(stream, {4, 16386}, 43);
      },
      2);
}

TEST(RowNormLauncher, PicksByShapeAndArchitecture) {
  if (!gpu::simulated()) GTEST_SKIP() << "needs a device that can be pretended";
  alignas(16) static float place[4] = {};
  auto forward = [&](DType dtype, int64_t n, int64_t rows = 4) {
    return std::string(
        gpu::pick_row_norm({nullptr, nullptr, nullptr, nullptr, place, place, rows, n, 1e-5, dtype})
            .name);
  };
  auto backward = [&](DType dtype, int64_t n, const char* x = nullptr, int64_t rows = 4) {
    return std::string(gpu::pick_row_norm_gradient(
                           {x, nullptr, nullptr, place, place, place, place, place, rows, n, dtype})
                           .name);
  };
  EXPECT_EQ(forward(DType::bf16, 16384), "registers");
  EXPECT_EQ(forward(DType::bf16, 16392), "cluster");
  EXPECT_EQ(forward(DType::f32, 1 << 20), "one_pass");
  EXPECT_EQ(backward(DType::f32, 4096), "registers");
  EXPECT_EQ(backward(DType::f32, 4097), "cluster");
  EXPECT_EQ(backward(DType::bf16, 8192), "registers");
  EXPECT_EQ(backward(DType::bf16, 8200), "cluster");
  EXPECT_EQ(backward(DType::f32, 4096, reinterpret_cast<const char*>(4)), "cluster");
  EXPECT_EQ(backward(DType::f32, 400000), "one_pass");
  const char* unaligned = reinterpret_cast<const char*>(4);
  EXPECT_EQ(forward(DType::bf16, 768, 4223), "registers");
  EXPECT_EQ(forward(DType::bf16, 768, 4224), "stream");
  EXPECT_EQ(forward(DType::bf16, 770, 1 << 20), "registers");
  EXPECT_EQ(forward(DType::bf16, 131072, 32), "stream");
  EXPECT_EQ(forward(DType::bf16, 131080, 32), "cluster");
  EXPECT_EQ(backward(DType::f16, 768, nullptr, 4223), "registers");
  EXPECT_EQ(backward(DType::f16, 768, nullptr, 4224), "stream");
  EXPECT_EQ(backward(DType::f32, 768, unaligned, 1 << 20), "cluster");
  EXPECT_EQ(backward(DType::bf16, 131072, nullptr, 32), "stream");
  EXPECT_EQ(backward(DType::bf16, 131080, nullptr, 32), "cluster");
  test::Pretend pretend(gpu::a100());
  EXPECT_EQ(forward(DType::f32, 30000), "cluster");
  EXPECT_EQ(forward(DType::f32, 60000), "one_pass");
  EXPECT_EQ(backward(DType::f32, 30000), "one_pass");
  EXPECT_EQ(forward(DType::bf16, 16384, 1 << 20), "stream");
  EXPECT_EQ(forward(DType::bf16, 16392, 1 << 20), "cluster");
  EXPECT_EQ(backward(DType::bf16, 4096, nullptr, 1 << 20), "stream");
  EXPECT_EQ(backward(DType::bf16, 8192, nullptr, 1 << 20), "registers");
  EXPECT_EQ(backward(DType::bf16, 16384, nullptr, 1 << 20), "cluster");
}
TEST(RowNormLauncher, RunsOnADeviceWithoutClusters) {
  test::Pretend pretend(gpu::a100());
  for (int64_t n : {17000, 50000}) check<float>(gpu::row_norm_rungs[n < 20000 ? 3 : 1], {2, n}, 30);
  for (int64_t n : {768, 4096}) check<float>(gpu::row_norm_rungs[4], {3, n}, 31);
}
TEST(RowNormLauncher, EmptyArraysAreFine) {
  DeviceBuffer<float> dscale(std::vector<float>{1, 2, 3}), dshift(std::vector<float>{1, 2, 3}),
      mean(1);
  gpu::row_norm({nullptr, nullptr, nullptr, nullptr, mean.data(), mean.data(), 0, 3});
  gpu::row_norm({nullptr, nullptr, nullptr, nullptr, mean.data(), mean.data(), 3, 0});
  gpu::row_norm_gradient({nullptr, nullptr, nullptr, nullptr, mean.data(), nullptr, dscale.data(),
                          dshift.data(), 0, 3});
  EXPECT_EQ(dscale.host(), std::vector<float>(3, 0));
  EXPECT_EQ(dshift.host(), std::vector<float>(3, 0));
}

TEST(RowNormRows, NothingWantedIsNothingWritten) {
  const auto x = test::random_values<float>(4 * 64, 31);
  DeviceBuffer<float> dev_x(x), dscale(64), dshift(64), mean(std::vector<float>(4, 0)),
      inverse(std::vector<float>(4, 1));
  for (const gpu::RowNormRung& rung : gpu::row_norm_rungs) {
    rung.gradient({dev_x.data(), dev_x.data(), nullptr, mean.data(), inverse.data(), nullptr,
                   nullptr, dshift.data(), 4, 64});
    std::vector<double> expected(64);
    for (size_t i = 0; i < x.size(); ++i) expected[i % 64] += double(x[i]);
    test::expect_within(
        dshift.host(), expected, [](size_t) { return 1e-6; }, rung.name);
    rung.gradient({dev_x.data(), dev_x.data(), nullptr, mean.data(), inverse.data(), nullptr,
                   nullptr, nullptr, 4, 64});
  }
  gpu::synchronize(nullptr);
}

TEST(RowNormRows, ANaNOrInfinityStaysInItsRow) {
  const size_t n = 520;
  std::vector<float> x = test::random_values<float>(4 * n, 32);
  x[n + 3] = NAN;
  x[2 * n + 519] = INFINITY;
  std::vector<float> y(x.size()), mean(4), inverse(4);
  cpu::row_norm({x.data(), y.data(), nullptr, nullptr, mean.data(), inverse.data(), 4, 520});
  for (const gpu::RowNormRung& rung : gpu::row_norm_rungs) {
    DeviceBuffer<float> dev_x(x), dev_y(x.size()), dev_mean(4), dev_inverse(4);
    rung.run({dev_x.data(), dev_y.data(), nullptr, nullptr, dev_mean.data(), dev_inverse.data(), 4,
              520});
    test::expect_within(
        dev_y.host(), widened(y), [](size_t) { return 1e-5; }, rung.name);
  }
}

TEST(RowNormRows, EqualBitsRunToRun) {
  const auto x = test::random_values<bf16>(40 * 264, 33),
             dy = test::random_values<bf16>(40 * 264, 34);
  for (const gpu::RowNormRung& rung : gpu::row_norm_rungs) {
    std::vector<std::vector<float>> results;
    test::for_each_schedule(
        [&] {
          DeviceBuffer<bf16> dev_x(x), dev_dy(dy), out(x.size());
          DeviceBuffer<float> mean(40), inverse(40), dscale(264), dshift(264);
          rung.run({dev_x.data(), out.data(), nullptr, nullptr, mean.data(), inverse.data(), 40,
                    264, 1e-5, DType::bf16});
          rung.gradient({dev_x.data(), dev_dy.data(), nullptr, mean.data(), inverse.data(),
                         out.data(), dscale.data(), dshift.data(), 40, 264, DType::bf16});
          results.push_back(dscale.host());
          for (float value : dshift.host()) results.back().push_back(value);
          for (bf16 value : out.host()) results.back().push_back(value);
        },
        2);
    for (size_t run = 1; run < results.size(); ++run)
      test::expect_same_bits(results[0], results[run], rung.name);
  }
}

}  // namespace
}  // namespace strata
