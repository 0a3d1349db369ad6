// Every Hopper rung against float64 and, on small integers, bit for bit: ragged shapes, both orders
// of both operands, batches, schedules, few multiprocessors.
#include "kernels/gemm/hopper.h"
#include "tests/kernels/gemm_hopper/hopper_product.h"

namespace strata::gpu {
namespace {

using test::Along;
using test::ProductShape;
using test::TestProduct;

gpu::DeviceInfo small_h100(int multiprocessors = 2) {
  gpu::DeviceInfo info = h100();
  info.multiprocessors = multiprocessors;  // so that persistent blocks have several tiles
  return info;
}

// The rungs that multiply bf16 and f16, whole and of any size.
std::vector<GemmRung> rungs_16_bit() {
  std::vector<GemmRung> rungs;
  for (const GemmRung& rung : hopper_gemm_rungs())
    if (rung.run != gemm_ladder::tf32_tma_store.run &&
        rung.run != gemm_ladder::hopper_split_k.run && rung.run != gemm_ladder::hopper_skinny.run &&
        rung.run != gemm_ladder::repacked.run)
      rungs.push_back(rung);
  return rungs;
}

template <class T>
void expect_exact(const GemmRung& rung, TestProduct<T>& product) {
  SCOPED_TRACE(rung.name);
  ASSERT_TRUE(rung.supports(product.arguments));
  product.c.upload(std::vector<T>(product.count(), T(std::numeric_limits<float>::quiet_NaN())));
  rung.run(product.arguments);
  test::expect_same_bits(product.c.host(), product.rounded());
}

class HopperGemm : public test::OnHopper {};

TEST_F(HopperGemm, EveryRungIsExactUnderEverySchedule) {
  test::Pretend pretend(small_h100());
  TestProduct<bf16> product({.M = 136, .N = 264, .K = 200});
  for (const GemmRung& rung : rungs_16_bit())
    test::for_each_schedule([&] { expect_exact(rung, product); });
}

// Few tiles and a long K, on a whole H100: parts of K, whose sums are added in order.
TEST_F(HopperGemm, PartsOfKAreExact) {
  test::Pretend pretend(h100());
  const GemmRung& rung = gemm_ladder::hopper_split_k;
  for (Along a : {Along::k, Along::rows})
    for (Along b : {Along::k, Along::rows}) {
      TestProduct<bf16> brains({.M = 136, .N = 40, .K = 2048, .a = a, .b = b});
      test::for_each_schedule([&] { expect_exact(rung, brains); }, 1);
    }
  TestProduct<f16> halves({.M = 8, .N = 264, .K = 2048});
  expect_exact(rung, halves);
  GemmArguments g = halves.arguments;
  g.K = 2056;
  EXPECT_FALSE(rung.supports(g)) << "no whole steps";
  g.K = 128;
  EXPECT_FALSE(rung.supports(g)) << "too short to be worth it";
}

// 128 columns a tile, as for products that would leave half of the wider tile empty.
TEST_F(HopperGemm, NarrowTilesAreExact) {
  test::Pretend pretend(h100());
  TestProduct<bf16> narrow({.M = 264, .N = 120, .K = 136});
  test::for_each_schedule([&] { expect_exact(gemm_ladder::tma_store, narrow); }, 2);
  for (Along b : {Along::k, Along::rows}) {
    TestProduct<f16> halves({.M = 136, .N = 72, .K = 72, .a = Along::rows, .b = b});
    expect_exact(gemm_ladder::tma_store, halves);
  }
}

TEST_F(HopperGemm, BothOrdersOfBothOperands) {
  test::Pretend pretend(small_h100());
  for (Along a : {Along::k, Along::rows})
    for (Along b : {Along::k, Along::rows}) {
      SCOPED_TRACE(std::string(a == Along::k ? "A along K" : "A along M") +
                   (b == Along::k ? ", B along K" : ", B along N"));
      TestProduct<bf16> brains({.M = 136, .N = 280, .K = 72, .a = a, .b = b});
      TestProduct<f16> halves({.M = 136, .N = 280, .K = 72, .a = a, .b = b});
      for (const GemmRung& rung : rungs_16_bit())
        test::for_each_schedule(
            [&] {
              expect_exact(rung, brains);
              expect_exact(rung, halves);
            },
            1);
    }
}

TEST_F(HopperGemm, RaggedShapes) {
  test::Pretend pretend(small_h100());
  const ProductShape shapes[] = {{.M = 1, .N = 8, .K = 1},     {.M = 1, .N = 264, .K = 65},
                                 {.M = 129, .N = 8, .K = 64},  {.M = 65, .N = 72, .K = 129},
                                 {.M = 300, .N = 40, .K = 33}, {.M = 257, .N = 136, .K = 320}};
  for (const ProductShape& shape : shapes)
    for (Along order : {Along::k, Along::rows}) {
      ProductShape ragged = shape;
      ragged.a = order;
      ragged.b = order;
      SCOPED_TRACE(::testing::Message() << shape.M << "x" << shape.N << "x" << shape.K);
      TestProduct<f16> product(ragged);
      for (const GemmRung& rung : rungs_16_bit()) expect_exact(rung, product);
    }
}

// Columns that do not fill 16 bytes: the copy engine cannot write C, threads can.
TEST_F(HopperGemm, OddColumns) {
  test::Pretend pretend(small_h100());
  for (int64_t N : {1, 7, 130, 257}) {
    SCOPED_TRACE(N);
    TestProduct<bf16> product({.M = 70, .N = N, .K = 40});
    for (const GemmRung& rung : rungs_16_bit()) {
      if (rung.run == gemm_ladder::tma_store.run)
        EXPECT_FALSE(rung.supports(product.arguments));
      else
        expect_exact(rung, product);
    }
  }
}

TEST_F(HopperGemm, AnyNumberOfMultiprocessors) {
  TestProduct<f16> product({.M = 136, .N = 264, .K = 72});
  for (int multiprocessors : {1, 3, 132}) {
    SCOPED_TRACE(multiprocessors);
    test::Pretend pretend(small_h100(multiprocessors));
    for (const GemmRung& rung : rungs_16_bit()) expect_exact(rung, product);
  }
}

// More rows of tiles than are walked together.
TEST_F(HopperGemm, GroupsOfTiles) {
  test::Pretend pretend(small_h100(6));
  TestProduct<bf16> product({.M = 2200, .N = 520, .K = 8});
  for (const GemmRung* rung : {&gemm_ladder::persistent, &gemm_ladder::ping_pong,
                               &gemm_ladder::cluster, &gemm_ladder::tma_store})
    expect_exact(*rung, product);
}

TEST_F(HopperGemm, Batches) {
  test::Pretend pretend(small_h100(4));
  const ProductShape shapes[] = {
      {.M = 40, .N = 48, .K = 72, .batches = 3},
      {.M = 40, .N = 48, .K = 72, .a = Along::rows, .batches = 3, .b_shared = true},
      {.M = 40, .N = 48, .K = 72, .b = Along::rows, .batches = 3, .a_shared = true},
      {.M = 130, .N = 264, .K = 24, .batches = 5}};
  for (const ProductShape& shape : shapes) {
    TestProduct<bf16> product(shape);
    for (const GemmRung& rung : rungs_16_bit()) expect_exact(rung, product);
  }
}

// [2, 3] matrices whose strides do not merge: A is the same along the first axis, B along the
// second.
TEST_F(HopperGemm, BatchAxesThatDoNotMerge) {
  constexpr int64_t M = 24, N = 32, K = 40;
  test::TestOperand<f16> a(M, K, Along::k, 3, true, 1), b(N, K, Along::k, 2, true, 2);
  test::DeviceBuffer<f16> c(2 * 3 * M * N);
  GemmArguments g;
  g.dtype = DType::f16;
  g.M = M, g.N = N, g.K = K;
  g.a = a.memory->data(), g.b = b.memory->data(), g.c = c.data();
  g.a_row = a.row_stride(), g.a_column = 1, g.b_row = 1, g.b_column = b.row_stride();
  g.batch_rank = 2;
  g.batch[0] = 2, g.batch[1] = 3;
  g.a_batch[0] = 0, g.a_batch[1] = a.batch_stride();
  g.b_batch[0] = b.batch_stride(), g.b_batch[1] = 0;
  std::vector<f16> expected;
  for (int64_t x = 0; x < 2; ++x)
    for (int64_t y = 0; y < 3; ++y)
      for (int64_t i = 0; i < M; ++i)
        for (int64_t j = 0; j < N; ++j) {
          double sum = 0;
          for (int64_t k = 0; k < K; ++k) sum += a.matrix(y)[i * K + k] * b.matrix(x)[j * K + k];
          expected.push_back(static_cast<f16>(static_cast<float>(sum)));
        }
  for (const GemmRung& rung : rungs_16_bit()) {
    SCOPED_TRACE(rung.name);
    ASSERT_TRUE(rung.supports(g));
    rung.run(g);
    test::expect_same_bits(c.host(), expected);
  }
}

TEST_F(HopperGemm, RandomNumbersAgainstFloat64AndTheSameBitsAgain) {
  test::Pretend pretend(small_h100());
  TestProduct<bf16> product({.M = 136, .N = 264, .K = 320, .integers = false});
  std::vector<bf16> first;
  for (const GemmRung& rung : rungs_16_bit()) {
    SCOPED_TRACE(rung.name);
    first.clear();
    test::for_each_schedule(
        [&] {
          rung.run(product.arguments);
          const std::vector<bf16> c = product.c.host();
          test::expect_sum_of_products(c, product.sums, product.magnitudes, 320);
          if (first.empty()) first = c;
          test::expect_same_bits(c, first, "again");
        },
        2);
  }
}

TEST_F(HopperGemm, NanAndInfinityStayInTheirRowsAndColumns) {
  test::Pretend pretend(small_h100());
  TestProduct<bf16> product({.M = 136, .N = 72, .K = 72});
  constexpr float infinity = std::numeric_limits<float>::infinity();
  std::vector<bf16> a = product.a.memory->host();
  a[static_cast<size_t>(3 * product.a.stride + 5)] = bf16(infinity);
  a[static_cast<size_t>(130 * product.a.stride + 71)] = bf16(std::nanf(""));
  product.a.memory->upload(a);
  std::vector<bf16> expected = product.rounded();
  for (size_t j = 0; j < 72; ++j) {
    const double b = product.b.values[j * 72 + 5];
    expected[3 * 72 + j] = bf16(b == 0 ? std::nanf("") : b > 0 ? infinity : -infinity);
    expected[130 * 72 + j] = bf16(std::nanf(""));
  }
  for (const GemmRung& rung : rungs_16_bit()) {
    SCOPED_TRACE(rung.name);
    rung.run(product.arguments);
    const std::vector<bf16> c = product.c.host();
    for (size_t i = 0; i < c.size(); ++i) {
      const float is = c[i], should = expected[i];
      ASSERT_TRUE(is == should || (std::isnan(is) && std::isnan(should)))
          << "at " << i << ": " << is << ", expected " << should;
    }
  }
}

TEST_F(HopperGemm, ChoosesByShapeAndAlignment) {
  test::Pretend pretend(h100());
  TestProduct<bf16> product({.M = 8, .N = 8, .K = 8});
  GemmArguments g = product.arguments;  // only looked at
  auto choice = [&] {
    const GemmRung* rung = hopper_choice(g);
    return std::string(rung ? rung->name : "none");
  };
  EXPECT_EQ(choice(), "16_tma_store");
  g.M = 768, g.N = 768, g.K = 8192, g.a_row = 8192, g.b_column = 8192;
  EXPECT_EQ(choice(), "18_hopper_split_k") << "18 tiles, K of 128 steps";
  g.M = 8192, g.N = 8192, g.K = 64, g.a_row = 64, g.b_column = 64;
  EXPECT_EQ(choice(), "16_tma_store");
  g.N = 8190;
  EXPECT_EQ(choice(), "15_cluster") << "rows of C of 16380 bytes";
  g.a_row = 65;
  EXPECT_EQ(choice(), "none") << "rows of A of 130 bytes";
  g.dtype = DType::f32;
  g.N = 8192, g.a_row = 64;
  EXPECT_EQ(choice(), "none");
  g.allow_tf32 = true;
  EXPECT_EQ(choice(), "17_tf32");
}

TEST_F(HopperGemm, RefusesWhatTheCopyEngineCannotRead) {
  TestProduct<bf16> product({.M = 24, .N = 32, .K = 40});
  const auto supported = [](const GemmArguments& g) {
    return gemm_ladder::cluster.supports(g) && gemm_ladder::tma_store.supports(g);
  };
  const GemmArguments& good = product.arguments;
  EXPECT_TRUE(supported(good));
  GemmArguments g = good;
  g.a_row = 41;
  EXPECT_FALSE(supported(g)) << "a stride of 82 bytes";
  g = good;
  g.a = static_cast<const bf16*>(good.a) + 1;
  EXPECT_FALSE(supported(g)) << "an address that is not a multiple of 16";
  g = good;
  g.b_row = 2, g.b_column = 80;
  EXPECT_FALSE(supported(g)) << "contiguous along no axis";
  g = good;
  g.b_column = 0;
  EXPECT_FALSE(supported(g)) << "the same column again and again";
  g = good;
  g.batch_rank = 1, g.batch[0] = 2, g.a_batch[0] = 964, g.b_batch[0] = 1280;
  EXPECT_FALSE(supported(g)) << "a batch stride of 1928 bytes";
  g = good;
  g.K = 0;
  EXPECT_FALSE(supported(g)) << "no K";
  g = good;
  g.dtype = DType::f32;
  EXPECT_FALSE(supported(g)) << "f32";
  if (simulated()) {
    test::Pretend pretend(a100());
    EXPECT_FALSE(supported(good)) << "an A100";
  }
}

}  // namespace
}  // namespace strata::gpu
