// Sort and top-k against the CPU twin, bit for bit: the order is total, so there is one answer.
#include "kernels/index/sort.h"

#include "tests/kernels/support/gpu_test.h"

namespace strata {
namespace {

using test::DeviceBuffer;

template <class T>
void check(DType dtype, const std::vector<int64_t>& shape, const std::vector<int64_t>& strides,
           int axis, int64_t k, bool descending, bool with_values = true) {
  int64_t memory = 1, results = k;
  for (size_t i = 0; i < shape.size(); ++i) {
    memory += std::max<int64_t>(0, shape[i] - 1) * strides[i];
    if (static_cast<int>(i) != axis) results *= shape[i];
  }
  std::mt19937_64 generator(static_cast<uint64_t>(memory + k));
  std::vector<T> x(static_cast<size_t>(memory));
  for (size_t i = 0; i < x.size(); ++i) {
    // Few different values, so that ties are many.
    const float value = static_cast<float>(static_cast<int>(generator() % 41)) - 20;
    x[i] = static_cast<T>(dtype == DType::boolean ? (value > 0 ? 1.0f : 0.0f)
                          : std::is_unsigned_v<T> ? value + 20
                                                  : value);
    if constexpr (std::is_same_v<Compute<T>, float> || std::is_same_v<T, double>) {
      if (i % 13 == 3) x[i] = static_cast<T>(std::numeric_limits<float>::quiet_NaN());
      if (i % 13 == 4) x[i] = static_cast<T>(-0.0f);
      if (i % 13 == 5) x[i] = static_cast<T>(-std::numeric_limits<float>::infinity());
    }
  }
  std::vector<T> values(static_cast<size_t>(results));
  std::vector<int64_t> indices(static_cast<size_t>(results));
  DeviceBuffer<T> device_x(x), device_values(values.size());
  DeviceBuffer<int64_t> device_indices(indices.size());
  cpu::SortArgs args{x.data(),
                     dtype,
                     static_cast<int>(shape.size()),
                     axis,
                     shape.data(),
                     strides.data(),
                     k,
                     descending,
                     with_values ? values.data() : nullptr,
                     indices.data()};
  cpu::sort(args);
  args.x = device_x.data();
  args.values = with_values ? device_values.data() : nullptr;
  args.indices = device_indices.data();
  gpu::sort(args);
  EXPECT_EQ(device_indices.host(), indices);
  if (with_values) test::expect_same_bits(device_values.host(), values, "values");
}

TEST(Sort, EveryTypeBothWays) {
  for (bool descending : {false, true}) {
    for (int64_t n : {37, 2100}) {  // in shared memory, and by radix
      const std::vector<int64_t> shape = {2, n}, strides = {n, 1};
      check<double>(DType::f64, shape, strides, 1, n, descending);
      check<float>(DType::f32, shape, strides, 1, n, descending);
      check<bf16>(DType::bf16, shape, strides, 1, n, descending);
      check<f16>(DType::f16, shape, strides, 1, n, descending);
      check<int64_t>(DType::i64, shape, strides, 1, n, descending);
      check<int32_t>(DType::i32, shape, strides, 1, n, descending);
      check<uint8_t>(DType::u8, shape, strides, 1, n, descending);
      check<uint8_t>(DType::boolean, shape, strides, 1, n, descending);
    }
  }
}

TEST(Sort, TopKAlongAnyAxis) {
  check<float>(DType::f32, {3, 50, 4}, {200, 4, 1}, 1, 5, true);
  check<float>(DType::f32, {3, 50, 4}, {1, 12, 3}, 1, 5, false, false);
  check<float>(DType::f32, {64, 3}, {3, 1}, 0, 64, true);
  check<float>(DType::f32, {2500, 2}, {2, 1}, 0, 7, true);
  check<float>(DType::f32, {1, 1}, {1, 1}, 0, 1, true);
  check<float>(DType::f32, {}, {}, 0, 1, true);
  check<float>(DType::f32, {0, 4}, {4, 1}, 1, 4, true);
  check<float>(DType::f32, {4, 4}, {4, 1}, 1, 0, true);
}

TEST(Sort, EverySchedule) {
  test::for_each_schedule([] {
    check<float>(DType::f32, {2, 60}, {60, 1}, 1, 60, false);
    check<float>(DType::f32, {1, 2050}, {2050, 1}, 1, 9, true);
  });
}

}  // namespace
}  // namespace strata
