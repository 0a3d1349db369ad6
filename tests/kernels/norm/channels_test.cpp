// The channel kernels of batch and group norm on the (simulated) GPU, against float64.
#include "kernels/norm/channels.h"
#include "tests/kernels/support/gpu_test.h"

namespace strata {
namespace {

using test::DeviceBuffer;

struct Shape {
  int64_t samples, rows, channels;
  size_t misalign = 0;
  size_t count() const { return static_cast<size_t>(samples * rows * channels); }
  size_t constants() const { return static_cast<size_t>(samples * channels); }
};
template <class T>
std::string trace(const Shape& s) {
  return std::string(name_of(dtype_of<T>())) + " [" + std::to_string(s.samples) + "," +
         std::to_string(s.rows) + "," + std::to_string(s.channels) + "] misaligned by " +
         std::to_string(s.misalign);
}
template <class T>
double value_of(T x) {
  return static_cast<double>(static_cast<Compute<T>>(x));
}
// Calls f(element, index of its channel in [samples, channels]).
void for_each_element(const Shape& s, const std::function<void(size_t, size_t)>& f) {
  const auto rows = static_cast<size_t>(s.rows), channels = static_cast<size_t>(s.channels);
  for (size_t i = 0; i < s.count(); ++i) f(i, i / (rows * channels) * channels + i % channels);
}
template <class T>
constexpr double unit() {
  return std::is_same_v<T, double> ? 0x1p-53 : 0x1p-24;
}

template <class T>
void check_moments(const Shape& s, double offset, uint64_t seed) {
  SCOPED_TRACE(trace<T>(s));
  const auto x = test::random_values<T>(s.count(), seed, offset - 1, offset + 1);
  std::vector<double> mean(s.constants()), m2(s.constants());
  const double rows = static_cast<double>(s.rows);
  for_each_element(s, [&](size_t i, size_t c) { mean[c] += (value_of(x[i]) - offset) / rows; });
  for (double& value : mean) value += offset;
  for_each_element(s, [&](size_t i, size_t c) { m2[c] += std::pow(value_of(x[i]) - mean[c], 2); });
  DeviceBuffer<T> dev_x(x, s.misalign);
  DeviceBuffer<double> dev_mean(s.constants()), dev_m2(s.constants());
  gpu::channel_moments(
      {dev_x.data(), dev_mean.data(), dev_m2.data(), s.samples, s.rows, s.channels, dtype_of<T>()});
  // Sums about a shift within 2 of the mean, of at most sqrt(rows) roundings; means are f64.
  const double error = unit<T>() * (8 + 8 * std::sqrt(rows));
  test::expect_within(
      dev_mean.host(), mean, [&](size_t) { return error * 2 + 0x1p-52 * offset; }, "mean");
  test::expect_within(
      dev_m2.host(), m2, [&](size_t) { return (error + 0x1p-52 * offset) * 4 * rows; }, "m2");
}

struct Constants {
  std::vector<double> mean, factor, offset, a, b, c;
  explicit Constants(size_t n)
      : mean(test::random_values<double>(n, 1)),
        factor(test::random_values<double>(n, 2, 0.5, 2)),
        offset(test::random_values<double>(n, 3)),
        a(test::random_values<double>(n, 4)),
        b(test::random_values<double>(n, 5)),
        c(test::random_values<double>(n, 6)) {}
};

// Forward, then both backward kernels, with and without relu, residual and saved y.
template <class T>
void check_maps(const Shape& s, bool relu, bool residual, bool saved, uint64_t seed) {
  SCOPED_TRACE(trace<T>(s) + (relu ? " relu" : "") + (residual ? " residual" : "") +
               (saved ? " saved" : ""));
  const auto x = test::random_values<T>(s.count(), seed),
             other = test::random_values<T>(s.count(), seed + 1),
             dy = test::random_values<T>(s.count(), seed + 2);
  const Constants k(s.constants());
  DeviceBuffer<T> dev_x(x, s.misalign), dev_other(other, s.misalign), dev_dy(dy, s.misalign),
      dev_y(s.count(), s.misalign), masked(s.count(), s.misalign), dx(s.count(), s.misalign);
  DeviceBuffer<double> mean(k.mean), factor(k.factor), offset(k.offset), a(k.a), b(k.b), c(k.c),
      sum_g(s.constants()), sum_gx(s.constants());
  gpu::channel_affine({dev_x.data(), residual ? dev_other.data() : nullptr, dev_y.data(),
                       mean.data(), factor.data(), offset.data(), s.samples, s.rows, s.channels,
                       dtype_of<T>(), relu});
  std::vector<double> expected(s.count());
  for_each_element(s, [&](size_t i, size_t at) {
    const double y = (value_of(x[i]) - k.mean[at]) * k.factor[at] + k.offset[at] +
                     (residual ? value_of(other[i]) : 0);
    expected[i] = relu && y <= 0 ? 0 : y;
  });
  const std::vector<T> y = dev_y.host();
  const double u = unit<T>(), uT = 1.01 * test::unit_roundoff<T>();
  auto bound = [&](const std::vector<double>& of, double size) {
    return [&of, size, u, uT](size_t i) {
      return 16 * u * size + uT * std::abs(of[i]) + 1e-8 * (sizeof(T) == 2);
    };
  };
  test::expect_within(y, expected, bound(expected, 4), "y");

  const T* saved_y = saved ? dev_y.data() : nullptr;
  gpu::channel_gradient_sums({dev_x.data(), saved_y, dev_dy.data(), masked.data(), mean.data(),
                              factor.data(), offset.data(), sum_g.data(), sum_gx.data(), s.samples,
                              s.rows, s.channels, dtype_of<T>(), relu});
  gpu::channel_gradient({dev_x.data(), saved_y, dev_dy.data(), dx.data(), mean.data(),
                         factor.data(), offset.data(), a.data(), b.data(), c.data(), s.samples,
                         s.rows, s.channels, dtype_of<T>(), relu});
  std::vector<double> g(s.count()), wanted(s.count()), sums(s.constants()), products(s.constants());
  for_each_element(s, [&](size_t i, size_t at) {
    g[i] = !relu || value_of(y[i]) > 0 ? value_of(dy[i]) : 0;
    const double d = value_of(x[i]) - k.mean[at];
    wanted[i] = k.a[at] * g[i] + k.b[at] + k.c[at] * d;
    sums[at] += g[i];
    products[at] += g[i] * d;
  });
  test::expect_within(
      masked.host(), g, [](size_t) { return 0.0; }, "masked");
  test::expect_within(dx.host(), wanted, bound(wanted, 4), "dx");
  const double rows = static_cast<double>(s.rows),
               error = u * (8 + 8 * std::sqrt(rows)) * std::sqrt(rows);
  test::expect_within(
      sum_g.host(), sums, [&](size_t) { return error; }, "sum_g");
  test::expect_within(
      sum_gx.host(), products, [&](size_t) { return 2 * error; }, "sum_gx");
}

template <class T>
class Channels : public ::testing::Test {};
using Types = ::testing::Types<double, float, bf16, f16>;
TYPED_TEST_SUITE(Channels, Types);

TYPED_TEST(Channels, MomentsMatchFloat64) {
  for (const Shape& s : {Shape{1, 1, 1},
                         {1, 50, 3},
                         {2, 33, 8},
                         {1, 700, 64},
                         {3, 9, 257, 1},
                         {1, 3, 1032},
                         {1, 5000, 1},
                         {1, 30001, 1},  // more partial sums than a thread of stage 2 has in flight
                         {2, 701, 3},    // no sample is whole chunks
                         {1, 900, 64, 1}})
    check_moments<TypeParam>(s, 0, 41);
}
TYPED_TEST(Channels, MapsAndSumsMatchFloat64) {
  for (const Shape& s : {Shape{1, 1, 1}, {1, 50, 3}, {2, 33, 8}, {3, 9, 257, 1}, {1, 300, 64}})
    for (bool relu : {false, true})
      for (bool residual : {false, true}) check_maps<TypeParam>(s, relu, residual, true, 42);
  for (const Shape& s : {Shape{1, 100, 24}, {2, 1031, 24}, {1, 260, 40, 1}, {1, 70, 1032}})
    check_maps<TypeParam>(s, true, false, false, 43);  // the sign worked out again
  check_maps<TypeParam>({2, 701, 3}, true, true, true, 43);
  check_maps<TypeParam>({1, 1100, 16}, false, true, true, 43);
}
// One wave of blocks in long parts, and more tiles than a wave has blocks.
TYPED_TEST(Channels, FewMultiprocessors) {
  gpu::DeviceInfo device = gpu::h100();
  device.multiprocessors = 1;
  test::Pretend pretend(device);
  for (const Shape& s : {Shape{1, 3000, 16}, {1, 2999, 5}, {40, 70, 8}, {3, 50, 300}}) {
    check_moments<TypeParam>(s, 1, 51);
    check_maps<TypeParam>(s, true, false, false, 52);
    check_maps<TypeParam>(s, true, true, true, 53);
  }
}
TYPED_TEST(Channels, UnderEverySchedule) {
  test::for_each_schedule([] {
    check_moments<TypeParam>({2, 70, 5}, 3, 44);
    check_maps<TypeParam>({1, 70, 5}, true, false, false, 45);
  });
}

TEST(ChannelMoments, ALargeMeanKeepsItsDeviation) {
  check_moments<float>({1, 4000, 16}, 1e5, 46);
  check_moments<double>({1, 1000, 6}, 1e6, 47);
}

// Parts combine about the mean of the first, which here is nowhere near the others'.
TEST(ChannelMoments, AFirstPartFarFromTheRest) {
  const int64_t rows = 4000, channels = 6;
  auto x = test::random_values<double>(static_cast<size_t>(rows * channels), 54);
  for (size_t i = 0; i < x.size() / 20; ++i) x[i] += 1e6;
  DeviceBuffer<double> dev_x(x), dev_mean(6), dev_m2(6);
  gpu::channel_moments(
      {dev_x.data(), dev_mean.data(), dev_m2.data(), 1, rows, channels, DType::f64});
  std::vector<double> mean(6), m2(6);
  for (size_t i = 0; i < x.size(); ++i) mean[i % 6] += x[i] / static_cast<double>(rows);
  for (size_t i = 0; i < x.size(); ++i) m2[i % 6] += std::pow(x[i] - mean[i % 6], 2);
  test::expect_within(dev_mean.host(), mean, [&](size_t i) { return 1e-13 * std::abs(mean[i]); });
  test::expect_within(dev_m2.host(), m2, [&](size_t i) { return 1e-12 * m2[i]; });
}

TEST(ChannelMoments, AgreeWithTheCpu) {
  const auto x = test::random_values<bf16>(2 * 600 * 24, 48, 2, 5);
  std::vector<double> mean(48), m2(48);
  cpu::channel_moments({x.data(), mean.data(), m2.data(), 2, 600, 24, DType::bf16});
  DeviceBuffer<bf16> dev_x(x);
  DeviceBuffer<double> dev_mean(48), dev_m2(48);
  gpu::channel_moments({dev_x.data(), dev_mean.data(), dev_m2.data(), 2, 600, 24, DType::bf16});
  test::expect_within(dev_mean.host(), mean, [](size_t) { return 1e-5; });
  test::expect_within(dev_m2.host(), m2, [](size_t) { return 1e-2; });
}

// A NaN or an infinity reaches its channel and no other.
TEST(ChannelMoments, SpecialValuesStayInTheirChannel) {
  auto x = test::random_values<float>(64 * 5, 49);
  x[5 * 7 + 1] = NAN;
  x[5 * 63 + 3] = INFINITY;
  DeviceBuffer<float> dev_x(x);
  DeviceBuffer<double> dev_mean(5), dev_m2(5);
  gpu::channel_moments({dev_x.data(), dev_mean.data(), dev_m2.data(), 1, 64, 5, DType::f32});
  const auto mean = dev_mean.host(), m2 = dev_m2.host();
  for (size_t c : {0, 2, 4}) EXPECT_TRUE(std::isfinite(mean[c]) && std::isfinite(m2[c])) << c;
  EXPECT_TRUE(std::isnan(mean[1]) && std::isnan(m2[1]));
  EXPECT_TRUE(!std::isfinite(mean[3]) && !std::isfinite(m2[3]));
}

// relu lets NaN through and stops -inf; without it both pass.
TEST(ChannelMaps, SpecialValues) {
  const std::vector<double> zero(4, 0), one(4, 1);
  std::vector<float> x(4 * 4, -1);
  x[1] = NAN;
  x[6] = -INFINITY;
  x[11] = INFINITY;
  for (bool relu : {false, true}) {
    DeviceBuffer<float> dev_x(x), y(x.size());
    DeviceBuffer<double> mean(zero), factor(one), offset(zero);
    gpu::channel_affine({dev_x.data(), nullptr, y.data(), mean.data(), factor.data(), offset.data(),
                         1, 4, 4, DType::f32, relu});
    std::vector<double> wanted(x.begin(), x.end());
    if (relu)
      for (double& value : wanted) value = value <= 0 ? 0 : value;
    test::expect_within(y.host(), wanted, [](size_t) { return 0.0; });
  }
}

TEST(ChannelMoments, EmptyArraysAreFine) {
  gpu::channel_moments({nullptr, nullptr, nullptr, 1, 0, 4});
  gpu::channel_affine({nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, 0, 3, 4});
  gpu::channel_gradient_sums(
      {nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, 1, 3, 0});
  gpu::channel_gradient({});
  gpu::synchronize(nullptr);
}

TEST(ChannelMoments, EqualBitsRunToRun) {
  const auto x = test::random_values<float>(3000 * 12, 50),
             dy = test::random_values<float>(3000 * 12, 51);
  std::vector<std::vector<double>> results;
  test::for_each_schedule(
      [&] {
        DeviceBuffer<float> dev_x(x), dev_dy(dy);
        DeviceBuffer<double> mean(12), m2(12), sum_g(12), sum_gx(12);
        gpu::channel_moments({dev_x.data(), mean.data(), m2.data(), 1, 3000, 12, DType::f32});
        gpu::channel_gradient_sums({dev_x.data(), nullptr, dev_dy.data(), nullptr, mean.data(),
                                    nullptr, nullptr, sum_g.data(), sum_gx.data(), 1, 3000, 12,
                                    DType::f32, false});
        results.push_back(m2.host());
        for (auto* buffer : {&mean, &sum_g, &sum_gx})
          for (double value : buffer->host()) results.back().push_back(value);
      },
      2);
  for (size_t run = 1; run < results.size(); ++run)
    test::expect_same_bits(results[0], results[run]);
}

}  // namespace
}  // namespace strata
