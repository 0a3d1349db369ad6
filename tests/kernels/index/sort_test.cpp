// Sort and top-k against the CPU twin, bit for bit: the order is total, so there is one answer.
#include "kernels/index/sort.h"

#include "tests/kernels/support/gpu_test.h"

namespace strata {
namespace {

using test::DeviceBuffer;

template <class T>
void check(DType dtype, const std::vector<int64_t>& shape, const std::vector<int64_t>& strides,
           int axis, int64_t k, bool descending, bool with_values = true, size_t misaligned = 0) {
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
  DeviceBuffer<T> device_x(x, misaligned), device_values(values.size());
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

// Given lines, dense.
template <class T>
void check_lines(const std::vector<T>& x, int64_t n, int64_t k, bool descending) {
  const int64_t lines = static_cast<int64_t>(x.size()) / n;
  const int64_t shape[] = {lines, n}, strides[] = {n, 1};
  std::vector<T> values(static_cast<size_t>(lines * k));
  std::vector<int64_t> indices(values.size());
  DeviceBuffer<T> device_x(x), device_values(values.size());
  DeviceBuffer<int64_t> device_indices(indices.size());
  cpu::SortArgs args{x.data(),      dtype_of<T>(), 2, 1, shape, strides, k, descending,
                     values.data(), indices.data()};
  cpu::sort(args);
  args.x = device_x.data();
  args.values = device_values.data();
  args.indices = device_indices.data();
  gpu::sort(args);
  EXPECT_EQ(device_indices.host(), indices) << "k " << k << " of " << n;
  test::expect_same_bits(device_values.host(), values, "values");
}

TEST(Sort, EveryTypeBothWays) {
  for (bool descending : {false, true}) {
    for (int64_t n : {37, 1100, 2100}) {  // by a warp, in shared memory, and by radix
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

// Every number of registers a thread, full and not, with lines to spare in the last block.
template <class T>
void check_sizes(DType dtype) {
  for (int64_t n : {1, 2, 31, 32, 33, 64, 65, 128, 200, 256, 500, 512, 513, 1023, 1024})
    check<T>(dtype, {5, n}, {n, 1}, 1, n, n % 2 == 0);
}
TEST(Sort, LinesOfAWarp) {
  check_sizes<float>(DType::f32);
  check_sizes<bf16>(DType::bf16);
  check_sizes<f16>(DType::f16);
  check_sizes<int32_t>(DType::i32);
  check_sizes<uint8_t>(DType::u8);
  check_sizes<uint8_t>(DType::boolean);
  for (bool descending : {false, true}) {  // values of all bits
    check_lines(test::random_values<float>(3 * 900, 5), 900, 900, descending);
    check_lines(test::random_values<f16>(3 * 900, 6, -1e-6, 1e-6), 900, 900, descending);
    check_lines(test::random_values<bf16>(3 * 900, 7, -1e30, 1e30), 900, 900, descending);
    check_lines(std::vector<int32_t>{7, INT32_MIN, -1, INT32_MAX, 0, INT32_MAX}, 6, 6, descending);
    check_lines(std::vector<uint8_t>{255, 0, 255, 1, 254, 0}, 3, 3, descending);
  }
}

// A line on its own, whose keys tell its elements but for NaN and zero.
TEST(Sort, OneLongLine) {
  for (bool descending : {false, true}) {
    check<double>(DType::f64, {1, 2100}, {2100, 1}, 1, 2100, descending);
    check<float>(DType::f32, {2100}, {1}, 0, 2000, descending);
    check<bf16>(DType::bf16, {2100, 1}, {2, 1}, 0, 2100, descending);
    check<f16>(DType::f16, {1, 2100}, {2100, 1}, 1, 2100, descending, true, 1);
    check<int64_t>(DType::i64, {2100}, {3}, 0, 2100, descending);
    check<int32_t>(DType::i32, {2100}, {1}, 0, 2100, descending);
    check<uint8_t>(DType::u8, {2100}, {1}, 0, 2100, descending);
    check<uint8_t>(DType::boolean, {2100}, {1}, 0, 2100, descending);
    check<float>(DType::f32, {2100}, {1}, 0, 2100, descending, false);
    check_lines(test::random_values<double>(2100, 3, -1e300, 1e300), 2100, 2100, descending);
    check_lines(test::random_values<float>(2100, 3, -1e30, 1e30), 2100, 2100, descending);
    check_lines(test::random_values<f16>(2100, 4, -1e-6, 1e-6), 2100, 2100, descending);
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

// Selection by a warp and by a block a line: every type, ties and NaN, k from 1 to the most, lines
// of no particular length, at any address, strided.
template <class T>
void check_selections(DType dtype) {
  for (bool descending : {false, true}) {
    check<T>(dtype, {3, 1003}, {1003, 1}, 1, 1, descending);
    check<T>(dtype, {6, 1000}, {1000, 1}, 1, 5, descending, true, 1);
    check<T>(dtype, {2, 2500}, {2501, 1}, 1, 16, descending, true, 3);
    check<T>(dtype, {2, 4999}, {4999, 1}, 1, 17, descending, true, 1);
    check<T>(dtype, {2, 9000}, {9000, 1}, 1, 128, descending);
  }
}
TEST(Select, EveryType) {
  check_selections<double>(DType::f64);
  check_selections<float>(DType::f32);
  check_selections<bf16>(DType::bf16);
  check_selections<f16>(DType::f16);
  check_selections<int64_t>(DType::i64);
  check_selections<int32_t>(DType::i32);
  check_selections<uint8_t>(DType::u8);
  check_selections<uint8_t>(DType::boolean);
}
TEST(Select, AlongAnyAxis) {
  check<float>(DType::f32, {3, 500, 4}, {2000, 4, 1}, 1, 5, true);
  check<float>(DType::f32, {3, 500, 4}, {1, 12, 3}, 1, 60, false, false);
  check<float>(DType::f32, {700, 2}, {2, 1}, 0, 20, true);
  check<float>(DType::f32, {2, 400}, {1000, 2}, 1, 40, true);
  check<float>(DType::f32, {0, 4000}, {4000, 1}, 1, 4, true);
}
TEST(Select, ManyLinesShareTheGroups) {
  SKIP_ON_A_GPU();
  gpu::DeviceInfo one = gpu::h100();
  one.multiprocessors = 1;
  test::Pretend pretend(one);
  check<float>(DType::f32, {600, 200}, {200, 1}, 1, 5, true);
  check<float>(DType::f32, {80, 300}, {300, 1}, 1, 30, true);
}

// Lines that defeat the bound: the first k all belong to one thread, so that far more elements lie
// within the bound than the group has threads; and lines in order, or all equal.
TEST(Select, LinesThatDefeatTheBound) {
  for (int64_t k : {5, 16, 40, 128}) {
    const bool warp = k <= 16;
    const int64_t n = warp ? 4000 : 9000, threads = warp ? 32 : 256;
    std::vector<float> one_thread(static_cast<size_t>(n));
    for (int64_t i = 0; i < n; ++i)
      one_thread[static_cast<size_t>(i)] =
          static_cast<float>(i / 4 % threads == 7 ? 10000 + i : i % 1000);
    check_lines(one_thread, n, k, true);
    std::vector<float> ordered(static_cast<size_t>(n)), equal(static_cast<size_t>(n), 2);
    for (size_t i = 0; i < ordered.size(); ++i) ordered[i] = static_cast<float>(i);
    for (bool descending : {false, true}) {
      check_lines(ordered, n, k, descending);
      check_lines(equal, n, k, descending);
    }
  }
  const auto x = test::random_values<float>(3 * 2000, 12);
  check_lines(x, 2000, 5, true);
  check_lines(x, 2000, 100, false);
}

TEST(Sort, EverySchedule) {
  test::for_each_schedule([] {
    check<float>(DType::f32, {2, 60}, {60, 1}, 1, 60, false);
    check<float>(DType::f32, {5, 600}, {600, 1}, 1, 600, false);
    check<double>(DType::f64, {2, 90}, {90, 1}, 1, 90, true);
    check<float>(DType::f32, {1, 2050}, {2050, 1}, 1, 200, true);
    check<float>(DType::f32, {2, 1001}, {1001, 1}, 1, 9, true);
    check<double>(DType::f64, {1, 3000}, {3000, 1}, 1, 90, false);
    std::vector<float> one_thread(6000);
    for (size_t i = 0; i < one_thread.size(); ++i)
      one_thread[i] = static_cast<float>(i / 4 % 256 == 7 ? 10000 + i : i);
    check_lines(one_thread, 6000, 20, true);
  });
}

}  // namespace
}  // namespace strata
