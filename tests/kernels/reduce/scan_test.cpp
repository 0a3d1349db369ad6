// Indices of extremes, running sums and products of others on the (simulated) GPU, against the CPU
// and float64.
#include "kernels/reduce/reduce.h"
#include "tests/kernels/support/gpu_test.h"

namespace strata {
namespace {

using cpu::ReduceArgs;
using test::DeviceBuffer;

struct Shape {
  int64_t sizes[3], strides[3];
  int axis;
};
const Shape shapes[] = {
    {{1, 1, 1}, {1, 1, 1}, 0},
    {{2, 3, 40}, {120, 40, 1}, 2},
    {{2, 33, 5}, {165, 5, 1}, 1},
    {{70, 2, 3}, {6, 3, 1}, 0},
    {{1, 2, 1000}, {2000, 1000, 1}, 2},
    {{3, 4, 50}, {1, 3, 12}, 2},
    {{3, 4, 50}, {0, 50, 1}, 1},
    // Lines cut into parts, whole vectors or not; long lines; slices of wider rows.
    {{1, 700, 32}, {0, 32, 1}, 1},
    {{2, 301, 48}, {14448, 48, 1}, 1},
    {{1, 333, 31}, {0, 31, 1}, 1},
    {{1, 300, 16}, {0, 32, 1}, 1},
    {{1, 2, 9001}, {0, 9008, 1}, 2},
    {{1, 3, 9008}, {0, 9008, 1}, 2},
    {{1, 1, 40000}, {0, 0, 1}, 2},
    {{1, 600, 2}, {0, 2, 1}, 1},
    {{1, 1, 700}, {0, 0, 3}, 2},
};
size_t reach(const Shape& s) {
  size_t size = 1;
  for (int i = 0; i < 3; ++i) size += static_cast<size_t>((s.sizes[i] - 1) * s.strides[i]);
  return size;
}
size_t count(const Shape& s) { return static_cast<size_t>(s.sizes[0] * s.sizes[1] * s.sizes[2]); }

template <class T>
class Scan : public ::testing::Test {};
using Types = ::testing::Types<double, float, bf16, f16, int64_t, int32_t, uint8_t>;
TYPED_TEST_SUITE(Scan, Types);

// Ties are many among small integers: the first wins.
TYPED_TEST(Scan, IndicesOfExtremes) {
  using T = TypeParam;
  for (const Shape& s : shapes)
    for (bool largest : {false, true}) {
      const auto x = test::small_integers<T>(reach(s), 91);
      std::vector<int64_t> expected(count(s) / static_cast<size_t>(s.sizes[s.axis]));
      cpu::arg_extreme(largest, s.axis,
                       {x.data(), dtype_of<T>(), 3, s.sizes, s.strides, 0, expected.data()});
      for (size_t misaligned : {0, 1}) {
        DeviceBuffer<T> dev_x(x, misaligned);
        DeviceBuffer<int64_t> out(expected.size());
        gpu::arg_extreme(largest, s.axis,
                         {dev_x.data(), dtype_of<T>(), 3, s.sizes, s.strides, 0, out.data()});
        EXPECT_EQ(out.host(), expected) << "axis " << s.axis << " of " << count(s);
      }
    }
}

// Elements that are all the worst there is: the first wins, though nothing beats the identity.
TYPED_TEST(Scan, TheFirstOfEqualExtremes) {
  using T = TypeParam;
  for (const Shape& s : shapes)
    for (bool largest : {false, true}) {
      T worst = largest ? std::numeric_limits<T>::lowest() : std::numeric_limits<T>::max();
      if constexpr (std::is_floating_point_v<Compute<T>>)
        worst = static_cast<T>(largest ? -INFINITY : INFINITY);
      DeviceBuffer<T> x(std::vector<T>(reach(s), worst), 1);
      const size_t lines = count(s) / static_cast<size_t>(s.sizes[s.axis]);
      DeviceBuffer<int64_t> out(lines);
      gpu::arg_extreme(largest, s.axis,
                       {x.data(), dtype_of<T>(), 3, s.sizes, s.strides, 0, out.data()});
      EXPECT_EQ(out.host(), std::vector<int64_t>(lines, 0)) << "axis " << s.axis;
    }
}

// Extremes in every place of a chunk, a part and a column, NaN among them, under every schedule.
template <class T>
void check_extremes(int64_t rows, int64_t columns, bool nan) {
  const int64_t shape[] = {rows, columns}, strides[] = {columns, 1};
  auto x = test::random_values<T>(static_cast<size_t>(rows * columns), 96);
  std::mt19937_64 generator(97);
  if (nan)
    for (int i = 0; i < 9; ++i) x[generator() % x.size()] = static_cast<T>(NAN);
  DeviceBuffer<T> dev_x(x);
  for (int axis : {0, 1})
    for (bool largest : {false, true}) {
      std::vector<int64_t> expected(static_cast<size_t>(axis == 0 ? columns : rows));
      cpu::arg_extreme(largest, axis,
                       {x.data(), dtype_of<T>(), 2, shape, strides, 0, expected.data()});
      DeviceBuffer<int64_t> out(expected.size());
      gpu::arg_extreme(largest, axis,
                       {dev_x.data(), dtype_of<T>(), 2, shape, strides, 0, out.data()});
      EXPECT_EQ(out.host(), expected) << rows << "x" << columns << " axis " << axis;
    }
}
TEST(ScanRows, ExtremesUnderEverySchedule) {
  test::for_each_schedule(
      [] {
        for (bool nan : {false, true}) {
          check_extremes<float>(300, 40, nan);
          check_extremes<bf16>(5, 9001, nan);
          check_extremes<f16>(301, 33, nan);
          check_extremes<double>(2, 5000, nan);
        }
      },
      3);
}
TEST(ScanRows, ExtremesOnOneMultiprocessor) {
  SKIP_ON_A_GPU();
  gpu::DeviceInfo one = gpu::h100();
  one.multiprocessors = 1;
  test::Pretend pretend(one);
  check_extremes<float>(700, 40, true);
  check_extremes<bf16>(70, 5000, true);
}

TYPED_TEST(Scan, RunningSums) {
  using T = TypeParam;
  using Out = std::conditional_t<std::is_floating_point_v<Compute<T>>, T, int64_t>;
  test::for_each_schedule(
      [] {
        for (const Shape& s : shapes)
          for (bool reverse : {false, true}) {
            const auto x = test::small_integers<T>(reach(s), 92);  // exact in f64; rounded once
            std::vector<Out> expected(count(s));
            cpu::cumulative_sum(
                s.axis, reverse,
                {x.data(), dtype_of<T>(), 3, s.sizes, s.strides, 0, expected.data()});
            for (size_t misaligned : {0, 1}) {
              DeviceBuffer<T> dev_x(x, misaligned);
              DeviceBuffer<Out> out(expected.size());
              gpu::cumulative_sum(
                  s.axis, reverse,
                  {dev_x.data(), dtype_of<T>(), 3, s.sizes, s.strides, 0, out.data()});
              test::expect_same_bits(out.host(), expected);
            }
          }
      },
      2);
}

TEST(ScanRows, ALongLineCarriesFromTileToTile) {
  const int64_t shape[] = {70000}, stride[] = {1};
  const auto x = test::random_values<float>(70000, 93);
  std::vector<double> expected;
  double sum = 0;
  for (float value : x) expected.push_back(sum += static_cast<double>(value));
  DeviceBuffer<float> dev_x(x), out(x.size());
  gpu::cumulative_sum(0, false, {dev_x.data(), DType::f32, 1, shape, stride, 0, out.data()});
  test::expect_within(out.host(), expected,
                      [&](size_t i) { return 0x1p-23 * std::abs(expected[i]) + 1e-10; });
}

// Sums of [rows, columns] along both axes, both ways, against float64.
template <class T>
std::vector<T> check_running_sums(int64_t rows, int64_t columns) {
  const int64_t shape[] = {rows, columns}, strides[] = {columns, 1};
  const size_t size = static_cast<size_t>(rows * columns);
  const auto x = test::random_values<T>(size, 98);
  std::vector<T> all;
  for (int axis : {0, 1})
    for (bool reverse : {false, true}) {
      std::vector<double> expected(size), magnitude(size);
      const int64_t length = shape[axis], step = strides[axis];
      for (int64_t line = 0; line < rows * columns / length; ++line) {
        double sum = 0, sizes = 0;
        for (int64_t i = 0; i < length; ++i) {
          const int64_t place = reverse ? length - 1 - i : i;
          const size_t at = static_cast<size_t>((axis == 0 ? line : line * columns) + place * step);
          sum += static_cast<double>(static_cast<Compute<T>>(x[at]));
          sizes += std::abs(static_cast<double>(static_cast<Compute<T>>(x[at])));
          expected[at] = sum;
          magnitude[at] = sizes;
        }
      }
      DeviceBuffer<T> dev_x(x), out(size);
      gpu::cumulative_sum(axis, reverse,
                          {dev_x.data(), dtype_of<T>(), 2, shape, strides, 0, out.data()});
      const auto result = out.host();
      test::expect_within(result, expected, [&](size_t i) {
        return 1.01 * test::unit_roundoff<T>() * std::abs(expected[i]) +
               static_cast<double>(length) * 0x1p-53 * magnitude[i] +
               (std::is_same_v<T, f16> ? 0x1p-25 : 0);
      });
      all.insert(all.end(), result.begin(), result.end());
    }
  return all;
}
TEST(ScanRows, RunningSumsAgainstFloat64) {
  check_running_sums<float>(1, 1);
  check_running_sums<double>(301, 48);
  check_running_sums<bf16>(150, 264);
  check_running_sums<f16>(77, 33);
  check_running_sums<float>(2, 40000);  // rows in parts, whole vectors
  check_running_sums<float>(2, 39999);
  check_running_sums<bf16>(1, 120001);
}
TEST(ScanRows, RunningSumsOnOneMultiprocessor) {
  SKIP_ON_A_GPU();
  gpu::DeviceInfo one = gpu::h100();
  one.multiprocessors = 1;
  test::Pretend pretend(one);
  check_running_sums<float>(600, 40);
  check_running_sums<bf16>(70, 2056);
  check_running_sums<float>(1, 40000);
}
TEST(ScanRows, RunningSumsHaveTheSameBitsEveryTime) {
  std::vector<std::vector<float>> results;
  test::for_each_schedule(
      [&] {
        auto bits = check_running_sums<float>(200, 40);
        const auto long_rows = check_running_sums<float>(1, 40000);
        bits.insert(bits.end(), long_rows.begin(), long_rows.end());
        results.push_back(bits);
      },
      2);
  for (size_t run = 1; run < results.size(); ++run)
    test::expect_same_bits(results[0], results[run]);
}

TEST(ScanRows, BooleansAreAdded) {
  const int64_t shape[] = {4}, stride[] = {1};
  DeviceBuffer<uint8_t> x(std::vector<uint8_t>{1, 0, 1, 1});
  DeviceBuffer<int64_t> out(4);
  gpu::cumulative_sum(0, false, {x.data(), DType::boolean, 1, shape, stride, 0, out.data()});
  EXPECT_EQ(out.host(), (std::vector<int64_t>{1, 1, 2, 3}));
}

TEST(ScanRows, TheFirstNaNIsTheExtreme) {
  const int64_t shape[] = {2, 100}, strides[] = {100, 1};
  auto x = test::random_values<float>(200, 94);
  x[40] = x[77] = NAN;
  x[150] = INFINITY;
  for (bool largest : {false, true}) {
    std::vector<int64_t> expected(2);
    cpu::arg_extreme(largest, 1, {x.data(), DType::f32, 2, shape, strides, 0, expected.data()});
    DeviceBuffer<float> dev_x(x);
    DeviceBuffer<int64_t> out(2);
    gpu::arg_extreme(largest, 1, {dev_x.data(), DType::f32, 2, shape, strides, 0, out.data()});
    EXPECT_EQ(out.host(), expected);
    EXPECT_EQ(expected[0], 40);
  }
}

template <class T>
void check_products() {
  for (const Shape& s : shapes) {
    auto x = test::random_values<T>(reach(s), 95, 0.5, 1.5);
    if (x.size() > 3) x[3] = static_cast<T>(0.0f);
    std::vector<T> expected(count(s));
    cpu::product_of_others(s.axis,
                           {x.data(), dtype_of<T>(), 3, s.sizes, s.strides, 0, expected.data()});
    DeviceBuffer<T> dev_x(x), out(expected.size());
    gpu::product_of_others(s.axis,
                           {dev_x.data(), dtype_of<T>(), 3, s.sizes, s.strides, 0, out.data()});
    test::expect_same_bits(out.host(), expected);
  }
}
TEST(ScanRows, ProductsOfOthersAsTheCpu) {
  check_products<double>();
  check_products<float>();
  check_products<bf16>();
  check_products<f16>();
}

TEST(ScanRows, EmptyArraysAreFine) {
  const int64_t shape[] = {0, 4}, strides[] = {4, 1};
  const ReduceArgs args{nullptr, DType::f32, 2, shape, strides, 0, nullptr};
  gpu::arg_extreme(true, 1, args);
  gpu::cumulative_sum(0, false, args);
  gpu::cumulative_sum(1, true, args);
  gpu::product_of_others(0, args);
  gpu::synchronize(nullptr);
}

}  // namespace
}  // namespace strata
