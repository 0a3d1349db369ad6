// The tensor cores of a warp: every fragment layout against loops over the matrices, exact; what
// misuse says.
#include "kernels/common/fp8.h"
#include "tests/kernels/sim/matrix_probe.h"
#include "tests/kernels/sim/misuse.h"
#include "tests/kernels/support/gpu_test.h"

namespace strata::test {
namespace {

std::vector<uint16_t> unique_elements(int count) {
  std::vector<uint16_t> values(static_cast<size_t>(count) * 64);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<uint16_t>(0x4100 + i);
  return values;
}

// What lane 4g + t holds of matrix j: row g, columns 2t and 2t + 1; transposed, the same of the
// transpose.
uint32_t expected_register(const std::vector<uint16_t>& matrices, int j, int lane,
                           bool transposed) {
  const auto element = [&](int row, int column) -> uint32_t {
    return matrices[static_cast<size_t>(j * 64 +
                                        (transposed ? column * 8 + row : row * 8 + column))];
  };
  return element(lane / 4, lane % 4 * 2) | element(lane / 4, lane % 4 * 2 + 1) << 16;
}

TEST(Matrix, LdmatrixAndStmatrixMoveEveryElementToItsLane) {
  for_each_schedule([] {
    for (int count : {1, 2, 4})
      for (bool transposed : {false, true}) {
        const std::vector<uint16_t> matrices = unique_elements(count);
        DeviceBuffer<uint16_t> from(matrices), back(matrices.size());
        DeviceBuffer<uint32_t> registers(static_cast<size_t>(count) * 32);
        probe_ldmatrix(count, transposed, from.data(), registers.data());
        const std::vector<uint32_t> lanes = registers.host();
        for (int j = 0; j < count; ++j)
          for (int lane = 0; lane < 32; ++lane)
            ASSERT_EQ(lanes[static_cast<size_t>(j * 32 + lane)],
                      expected_register(matrices, j, lane, transposed))
                << "matrix " << j << " of " << count << ", lane " << lane
                << (transposed ? ", transposed" : "");
        probe_stmatrix(count, transposed, registers.data(), back.data());
        expect_same_bits(back.host(), matrices, "stmatrix");
      }
  });
}

// Runs d += a b of one mma; all values small integers, so exact. encode(i) is the bit pattern of
// integer i.
template <class Element, class Sum, class Encode>
void check_mma(MmaKind kind, int k, int largest, Encode encode) {
  std::mt19937 generator(7);
  std::uniform_int_distribution<int> uniform(-largest, largest);
  std::vector<int> a(static_cast<size_t>(16 * k)), b(static_cast<size_t>(k * 8)), c(128);
  for (auto* matrix : {&a, &b, &c})
    for (int& value : *matrix) value = uniform(generator);
  std::vector<Element> ea(a.size()), eb(b.size());
  std::vector<Sum> sums(128);
  for (size_t i = 0; i < a.size(); ++i) ea[i] = encode(a[i]);
  for (size_t i = 0; i < b.size(); ++i) eb[i] = encode(b[i]);
  for (size_t i = 0; i < c.size(); ++i) sums[i] = static_cast<Sum>(c[i]);
  DeviceBuffer<Element> da(ea), db(eb);
  DeviceBuffer<Sum> d(sums);
  probe_mma(kind, da.data(), db.data(), d.data());
  const std::vector<Sum> result = d.host();
  for (int row = 0; row < 16; ++row)
    for (int column = 0; column < 8; ++column) {
      int expected = c[static_cast<size_t>(row * 8 + column)];
      for (int p = 0; p < k; ++p)
        expected += a[static_cast<size_t>(row * k + p)] * b[static_cast<size_t>(p * 8 + column)];
      ASSERT_EQ(result[static_cast<size_t>(row * 8 + column)], static_cast<Sum>(expected))
          << "kind " << static_cast<int>(kind) << ", row " << row << ", column " << column;
    }
}

TEST(Matrix, MmaMultipliesEveryType) {
  for_each_schedule([] {
    check_mma<uint16_t, float>(MmaKind::bf16, 16, 9,
                               [](int i) { return bf16(static_cast<float>(i)).bits; });
    check_mma<uint16_t, float>(MmaKind::f16, 16, 9,
                               [](int i) { return f16(static_cast<float>(i)).bits; });
    check_mma<float, float>(MmaKind::tf32, 8, 9, [](int i) { return static_cast<float>(i); });
    check_mma<int8_t, int>(MmaKind::int8, 32, 127, [](int i) { return static_cast<int8_t>(i); });
    check_mma<uint8_t, float>(MmaKind::e4m3, 32, 9,
                              [](int i) { return fp8_e4m3(static_cast<float>(i)).bits; });
    check_mma<uint8_t, float>(MmaKind::e5m2, 32, 4,
                              [](int i) { return fp8_e5m2(static_cast<float>(i)).bits; });
  });
}

TEST(Matrix, MmaTileIsItsProducts) {
  for (bool tf32 : {false, true}) {
    const int k = tf32 ? 8 : 16;
    const std::vector<float> a = small_integers<float>(static_cast<size_t>(32 * k), 1, 5);
    const std::vector<float> b = small_integers<float>(static_cast<size_t>(k * 24), 2, 5);
    const std::vector<float> c = small_integers<float>(32 * 24, 3, 5);
    for_each_schedule([&] {
      DeviceBuffer<float> fa(a), fb(b), d(c);
      DeviceBuffer<bf16> ha(std::vector<bf16>(a.begin(), a.end())),
          hb(std::vector<bf16>(b.begin(), b.end()));
      if (tf32)
        probe_mma_tile(true, fa.data(), fb.data(), d.data());
      else
        probe_mma_tile(false, ha.data(), hb.data(), d.data());
      const std::vector<float> result = d.host();
      for (size_t row = 0; row < 32; ++row)
        for (size_t column = 0; column < 24; ++column) {
          float expected = c[row * 24 + column];
          for (size_t p = 0; p < static_cast<size_t>(k); ++p)
            expected += a[row * static_cast<size_t>(k) + p] * b[p * 24 + column];
          ASSERT_EQ(result[row * 24 + column], expected) << "row " << row << ", column " << column;
        }
    });
  }
}

TEST(Matrix, SumsStayNearTheExactOnes) {
  const std::vector<bf16> a = random_values<bf16>(16 * 16, 1), b = random_values<bf16>(16 * 8, 2);
  DeviceBuffer<bf16> da(a), db(b);
  DeviceBuffer<float> d(std::vector<float>(128, 0.0f));
  probe_mma(MmaKind::bf16, da.data(), db.data(), d.data());
  std::vector<double> expected(128), magnitude(128);
  for (size_t row = 0; row < 16; ++row)
    for (size_t column = 0; column < 8; ++column)
      for (size_t p = 0; p < 16; ++p) {
        const double product = double{a[row * 16 + p]} * double{b[p * 8 + column]};
        expected[row * 8 + column] += product;
        magnitude[row * 8 + column] += std::abs(product);
      }
  expect_sum_of_products(d.host(), expected, magnitude, 16);
}

TEST(Matrix, Tf32RoundsToNearestAwayFromZero) {
  const float ulp = 0x1p-10f, infinity = std::numeric_limits<float>::infinity();
  const std::vector<float> values = {
      1, 1 + ulp / 2, 1 + 0.49f * ulp, -1 - ulp / 2, 1 + 1.5f * ulp, infinity, -infinity, 0, -0.0f};
  const std::vector<float> expected = {1,        1 + ulp,   1, -1 - ulp, 1 + 2 * ulp,
                                       infinity, -infinity, 0, -0.0f};
  DeviceBuffer<float> from(values);
  DeviceBuffer<uint32_t> bits(values.size());
  probe_to_tf32(static_cast<int>(values.size()), from.data(), bits.data());
  const std::vector<uint32_t> result = bits.host();
  for (size_t i = 0; i < values.size(); ++i)
    EXPECT_EQ(result[i], std::bit_cast<uint32_t>(expected[i])) << "of " << values[i];
}

// Nearest value of the type, ties to an even code, by search.
template <class T>
uint8_t nearest(float value) {
  if (std::isnan(value)) return 0x7f;
  uint8_t best = 0;
  double distance = std::numeric_limits<double>::infinity();
  for (int code = 0; code < 128; ++code) {
    T candidate;
    candidate.bits = static_cast<uint8_t>(code);
    const float as_float = candidate;
    if (!std::isfinite(as_float)) continue;
    const double here = std::abs(double{as_float} - std::abs(double{value}));
    if (here < distance || (here == distance && code % 2 == 0)) {
      best = candidate.bits;
      distance = here;
    }
  }
  return static_cast<uint8_t>(best | (std::signbit(value) ? 0x80 : 0));
}

template <class T>
void check_fp8() {
  for (int code = 0; code < 256; ++code) {  // every value is itself
    T value;
    value.bits = static_cast<uint8_t>(code);
    const float as_float = value;
    if (!std::isfinite(as_float)) continue;
    EXPECT_EQ(T(as_float).bits, code);
  }
  std::mt19937 generator(3);
  std::uniform_real_distribution<float> exponent(-20, 20), sign(-1, 1);
  for (int i = 0; i < 5000; ++i) {
    const float value = std::copysign(std::exp2(exponent(generator)), sign(generator));
    ASSERT_EQ(T(value).bits, nearest<T>(value)) << value;
  }
  for (int code = 0; code < 126; ++code) {  // halfway between neighbours
    T low, high;
    low.bits = static_cast<uint8_t>(code);
    high.bits = static_cast<uint8_t>(code + 1);
    const float middle = (static_cast<float>(low) + static_cast<float>(high)) / 2;
    if (!std::isfinite(middle)) continue;
    ASSERT_EQ(T(middle).bits, nearest<T>(middle)) << middle;
  }
  EXPECT_TRUE(std::isnan(static_cast<float>(T(std::numeric_limits<float>::quiet_NaN()))));
  EXPECT_EQ(static_cast<float>(T(std::numeric_limits<float>::infinity())), T::largest);
  EXPECT_EQ(static_cast<float>(T(-1e30f)), -T::largest);
}

TEST(Fp8, ConvertsToTheNearestValue) {
  check_fp8<fp8_e4m3>();
  check_fp8<fp8_e5m2>();
}

#ifndef STRATA_CUDA

__global__ void misaligned_ldmatrix(uint32_t* out) {
  auto& bytes = gpu::block_shared<std::array<uint32_t, 256>>();
  uint32_t r[1];
  gpu::ldmatrix<1>(r, bytes.data() + threadIdx.x % 8 * 4 + 1);
  out[threadIdx.x] = r[0];
}
__global__ void ldmatrix_of_global(uint32_t* out) {
  uint32_t r[1];
  gpu::ldmatrix<1>(r, out);
  out[threadIdx.x] = r[0];
}
__global__ void divergent_mma(float* out) {
  float d[4] = {};
  const uint32_t a[4] = {}, b[2] = {};
  if (threadIdx.x < 16)
    gpu::mma<bf16>(d, a, b);
  else
    gpu::mma<bf16>(d, a, b);
  out[threadIdx.x] = d[0];
}
__global__ void fp8_mma(float* out) {
  float d[4] = {};
  const uint32_t a[4] = {}, b[2] = {};
  gpu::mma_fp8<fp8_e4m3>(d, a, b);
  out[threadIdx.x] = d[0];
}

TEST(Matrix, MisuseIsExplained) {
  DeviceBuffer<uint32_t> words(64);
  DeviceBuffer<float> floats(64);
  const gpu::LaunchConfig warp{.grid = 1, .block = 32};
  expect_error([&] { gpu::launch<misaligned_ldmatrix>(warp, words.data()); },
               "not a multiple of 16");
  expect_error([&] { gpu::launch<ldmatrix_of_global>(warp, words.data()); },
               "not in the block's shared memory");
  expect_error([&] { gpu::launch<divergent_mma>(warp, floats.data()); }, "warp divergence");
  Pretend a100(gpu::a100());
  expect_error([&] { gpu::launch<fp8_mma>(warp, floats.data()); }, "needs compute capability 8.9");
}

#endif

}  // namespace
}  // namespace strata::test
