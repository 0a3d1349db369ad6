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
    {{1, 1, 1}, {1, 1, 1}, 0},   {{2, 3, 40}, {120, 40, 1}, 2},      {{2, 33, 5}, {165, 5, 1}, 1},
    {{70, 2, 3}, {6, 3, 1}, 0},  {{1, 2, 1000}, {2000, 1000, 1}, 2}, {{3, 4, 50}, {1, 3, 12}, 2},
    {{3, 4, 50}, {0, 50, 1}, 1},
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
      DeviceBuffer<T> dev_x(x, 1);
      DeviceBuffer<int64_t> out(expected.size());
      cpu::arg_extreme(largest, s.axis,
                       {x.data(), dtype_of<T>(), 3, s.sizes, s.strides, 0, expected.data()});
      gpu::arg_extreme(largest, s.axis,
                       {dev_x.data(), dtype_of<T>(), 3, s.sizes, s.strides, 0, out.data()});
      EXPECT_EQ(out.host(), expected) << "axis " << s.axis << " of " << count(s);
    }
}

TYPED_TEST(Scan, RunningSums) {
  using T = TypeParam;
  using Out = std::conditional_t<std::is_floating_point_v<Compute<T>>, T, int64_t>;
  test::for_each_schedule([] {
    for (const Shape& s : shapes)
      for (bool reverse : {false, true}) {
        const auto x = test::small_integers<T>(reach(s), 92);  // exact in f64; rounded once
        std::vector<Out> expected(count(s));
        DeviceBuffer<T> dev_x(x, 1);
        DeviceBuffer<Out> out(expected.size());
        cpu::cumulative_sum(s.axis, reverse,
                            {x.data(), dtype_of<T>(), 3, s.sizes, s.strides, 0, expected.data()});
        gpu::cumulative_sum(s.axis, reverse,
                            {dev_x.data(), dtype_of<T>(), 3, s.sizes, s.strides, 0, out.data()});
        test::expect_same_bits(out.host(), expected);
      }
  });
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
