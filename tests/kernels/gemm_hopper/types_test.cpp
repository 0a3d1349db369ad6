// 17_tf32_fp8: the other types of the tensor cores.
#include "kernels/common/fp8.h"
#include "kernels/gemm/hopper.h"
#include "tests/kernels/gemm_hopper/hopper_product.h"

namespace strata::gpu {
namespace {

using test::Along;
using test::ProductShape;
using test::TestProduct;

constexpr ProductShape shapes[] = {{.M = 136, .N = 264, .K = 200},
                                   {.M = 1, .N = 16, .K = 1},
                                   {.M = 300, .N = 48, .K = 72, .batches = 2},
                                   {.M = 40, .N = 400, .K = 330, .batches = 2, .b_shared = true}};

template <class T, class In>
void expect_exact(TestProduct<T, In>& product, void (*run)(const GemmArguments&)) {
  product.c.upload(std::vector<T>(product.count(), T(std::numeric_limits<float>::quiet_NaN())));
  run(product.arguments);
  test::expect_same_bits(product.c.host(), product.rounded());
}

gpu::DeviceInfo small_h100() {
  gpu::DeviceInfo info = h100();
  info.multiprocessors = 4;
  return info;
}

class HopperTypes : public test::OnHopper {};

TEST_F(HopperTypes, Tf32IsExactOnSmallIntegers) {
  test::Pretend pretend(small_h100());
  for (const ProductShape& shape : shapes) {
    TestProduct<float> product(shape);
    product.arguments.allow_tf32 = true;
    ASSERT_TRUE(gemm_ladder::tf32_tma_store.supports(product.arguments));
    test::for_each_schedule([&] { expect_exact(product, gemm_ladder::tf32_tma_store.run); },
                            shape.M == 136 ? 8 : 1);
  }
}

// Each operand loses less than 2^-10 of itself.
TEST_F(HopperTypes, Tf32OfRandomNumbersIsWithinItsMantissa) {
  TestProduct<float> product({.M = 136, .N = 136, .K = 320, .integers = false});
  product.arguments.allow_tf32 = true;
  gemm_ladder::tf32_tma_store.run(product.arguments);
  const std::vector<float> c = product.c.host();
  test::expect_within(c, product.sums, [&](size_t i) { return 0x1.01p-9 * product.magnitudes[i]; });
}

TEST_F(HopperTypes, Tf32IsAskedFor) {
  TestProduct<float> product({.M = 24, .N = 24, .K = 24});
  EXPECT_FALSE(gemm_ladder::tf32_tma_store.supports(product.arguments));
  product.arguments.allow_tf32 = true;
  EXPECT_TRUE(gemm_ladder::tf32_tma_store.supports(product.arguments));
  TestProduct<float> transposed({.M = 24, .N = 24, .K = 24, .b = Along::rows});
  transposed.arguments.allow_tf32 = true;
  EXPECT_FALSE(gemm_ladder::tf32_tma_store.supports(transposed.arguments))
      << "wgmma transposes 16-bit operands only";
}

template <class T>
void expect_fp8_exact() {
  for (const ProductShape& shape : shapes) {
    TestProduct<T, fp8_e4m3> product(shape);
    test::for_each_schedule([&] { expect_exact(product, gemm_fp8); }, shape.M == 136 ? 8 : 1);
  }
}
TEST_F(HopperTypes, Fp8IsExactOnSmallIntegers) {
  test::Pretend pretend(small_h100());
  expect_fp8_exact<bf16>();
  expect_fp8_exact<f16>();
  expect_fp8_exact<float>();
}

// Products of e4m3 are exact in f32; their sums round.
TEST_F(HopperTypes, Fp8OfRandomNumbersAgainstFloat64) {
  TestProduct<float, fp8_e4m3> product({.M = 136, .N = 72, .K = 330, .integers = false});
  product.arguments.epilogue.alpha = 0.5;
  gemm_fp8(product.arguments);
  std::vector<double> scaled;
  for (double sum : product.sums) scaled.push_back(0.5 * sum);
  // The hardware aligns the products of an instruction to the largest and keeps 13 bits below it.
  test::expect_within(product.c.host(), scaled, [&](size_t i) {
    return 0x1p-13 * product.magnitudes[i] + 1e-6 * std::abs(scaled[i]);
  });
}

TEST_F(HopperTypes, Fp8SaysWhatItNeeds) {
  TestProduct<bf16, fp8_e4m3> product({.M = 24, .N = 24, .K = 40});
  GemmArguments g = product.arguments;
  g.a_row = 40;
  try {
    gemm_fp8(g);
    FAIL() << "rows of 40 bytes";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("(40, 48)"), std::string::npos) << error.what();
  }
  g = product.arguments;
  g.dtype = DType::i32;
  EXPECT_THROW(gemm_fp8(g), Error);
  g = product.arguments;
  g.M = 0;
  EXPECT_NO_THROW(gemm_fp8(g));
}

}  // namespace
}  // namespace strata::gpu
