// Random numbers of the GPU are the CPU's, bit for bit.
#include "kernels/random/random.h"

#include "tests/kernels/support/gpu_test.h"

namespace strata {
namespace {

using cpu::RandomArgs;
using test::DeviceBuffer;

// Fills by both with odd counts, a large offset, and a misaligned output.
template <class T, class Cpu, class Gpu>
void check(DType dtype, Cpu&& on_cpu, Gpu&& on_gpu) {
  for (int64_t count : {0, 1, 2, 3, 5, 1023, 4099}) {
    for (size_t misalign : {0u, 1u}) {
      std::vector<T> expected(static_cast<size_t>(count));
      DeviceBuffer<T> out(expected.size(), misalign);
      RandomArgs args{expected.data(), count, dtype, 0x123456789abcdefu, 0xfffffff0u};
      on_cpu(args);
      args.out = out.data();
      on_gpu(args);
      test::expect_same_bits(out.host(), expected, name_of(dtype));
    }
  }
}

template <class T>
void check_floats(DType dtype) {
  check<T>(
      dtype, [](const RandomArgs& a) { cpu::uniform(a, -2, 3); },
      [](const RandomArgs& a) { gpu::uniform(a, -2, 3); });
  check<T>(
      dtype, [](const RandomArgs& a) { cpu::normal(a, 0.5, 2); },
      [](const RandomArgs& a) { gpu::normal(a, 0.5, 2); });
  // dropout: the mask and the result.
  const std::vector<T> x = test::random_values<T>(4099, 7);
  for (bool keep : {false, true}) {
    DeviceBuffer<T> dx(x, keep ? 1 : 0);  // once aligned, once not
    for (double p : {0.0, 0.3, 1.0}) {
      std::vector<T> expected(x.size());
      std::vector<uint8_t> mask(x.size());
      DeviceBuffer<T> out(x.size());
      DeviceBuffer<uint8_t> device_mask(x.size());
      RandomArgs args{expected.data(), 4099, dtype, 11, 5};
      cpu::dropout(args, x.data(), p, 1.5, keep ? reinterpret_cast<bool*>(mask.data()) : nullptr);
      args.out = out.data();
      gpu::dropout(args, dx.data(), p, 1.5,
                   keep ? reinterpret_cast<bool*>(device_mask.data()) : nullptr);
      test::expect_same_bits(out.host(), expected, "dropout");
      if (keep) {
        EXPECT_EQ(device_mask.host(), mask);
      }
    }
  }
}

TEST(Random, FloatsHaveTheBitsOfTheCpu) {
  check_floats<float>(DType::f32);
  check_floats<double>(DType::f64);
  check_floats<bf16>(DType::bf16);
  check_floats<f16>(DType::f16);
}

template <class T>
void check_integers(DType dtype) {
  for (auto [low, range] : {std::pair<int64_t, uint64_t>{-5, 100}, {0, uint64_t{1} << 63}, {3, 1}})
    check<T>(
        dtype, [=, low = low, range = range](const RandomArgs& a) { cpu::integers(a, low, range); },
        [=, low = low, range = range](const RandomArgs& a) { gpu::integers(a, low, range); });
}

TEST(Random, IntegersAndCoins) {
  check_integers<int64_t>(DType::i64);
  check_integers<int32_t>(DType::i32);
  check_integers<uint8_t>(DType::u8);
  check_integers<uint8_t>(DType::boolean);
  for (double p : {0.0, 0.25, 1.0})
    check<uint8_t>(
        DType::boolean, [=](const RandomArgs& a) { cpu::bernoulli(a, p); },
        [=](const RandomArgs& a) { gpu::bernoulli(a, p); });
}

TEST(Random, DropoutKeepsWhatBernoulliWouldDraw) {
  std::vector<float> x(1000, 2), out(1000);
  std::vector<uint8_t> mask(1000);
  cpu::dropout({out.data(), 1000, DType::f32, 3, 9}, x.data(), 0.7, 10, nullptr);
  cpu::bernoulli({mask.data(), 1000, DType::boolean, 3, 9}, 0.7);
  for (size_t i = 0; i < 1000; ++i) ASSERT_EQ(out[i], mask[i] ? 20 : 0);
}

TEST(Random, Permutations) {
  check<int64_t>(
      DType::i64, [](const RandomArgs& a) { cpu::permutation(a); },
      [](const RandomArgs& a) { gpu::permutation(a); });
}

TEST(Random, ChoicesByWeight) {
  const int64_t rows = 301, columns = 7;
  std::vector<float> weights = test::random_values<float>(rows * columns, 3, 0, 1);
  auto choose = [&](int64_t expected_bad) {
    std::vector<int64_t> expected(rows);
    DeviceBuffer<int64_t> out(rows);
    DeviceBuffer<float> device(weights);
    EXPECT_EQ(
        cpu::choice({expected.data(), rows, DType::i64, 5, 2}, weights.data(), DType::f32, columns),
        expected_bad);
    EXPECT_EQ(gpu::choice({out.data(), rows, DType::i64, 5, 2}, device.data(), DType::f32, columns),
              expected_bad);
    EXPECT_EQ(out.host(), expected);
  };
  choose(-1);
  weights[200 * columns + 3] = -1;
  choose(200);
  for (int64_t c = 0; c < columns; ++c) weights[static_cast<size_t>(40 * columns + c)] = 0;
  choose(40);
  weights[7 * columns] = std::numeric_limits<float>::quiet_NaN();
  choose(7);
  weights[0] = std::numeric_limits<float>::infinity();
  choose(0);
}

}  // namespace
}  // namespace strata
