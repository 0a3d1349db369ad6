// 19_hopper_skinny: few rows, weights as the rows of wgmma. Exact on small integers on both sides
// of every branch of its launcher, within the bound of float64 on random numbers, all epilogues in
// epilogue_test.cpp.
#include "kernels/gemm/hopper.h"
#include "kernels/gemm/rung.h"
#include "tests/kernels/gemm_hopper/hopper_product.h"

namespace strata::gpu {
namespace {

using test::Along;
using test::ProductShape;
using test::TestProduct;

const GemmRung& rung = gemm_ladder::hopper_skinny;

// C lies between canaries, `misalign` elements from where vectors could be stored.
template <class T>
void expect_exact(const ProductShape& shape, size_t misalign = 0, int schedules = 0) {
  SCOPED_TRACE(::testing::Message() << shape.M << "x" << shape.N << "x" << shape.K
                                    << (shape.b == Along::k ? " NT" : " NN"));
  TestProduct<T> product(shape);
  const T canary(-77.0f);
  constexpr size_t around = 64;
  test::DeviceBuffer<T> memory(product.count() + 2 * around);
  GemmArguments g = product.arguments;
  g.c = memory.data() + around + misalign;
  ASSERT_TRUE(rung.supports(g));
  auto run = [&] {
    memory.upload(std::vector<T>(product.count() + 2 * around, canary));
    rung.run(g);
    std::vector<T> expected(around + misalign, canary);
    for (T value : product.rounded()) expected.push_back(value);
    expected.resize(product.count() + 2 * around, canary);
    test::expect_same_bits(memory.host(), expected);
  };
  if (schedules > 0)
    test::for_each_schedule(run, schedules);
  else
    run();
}

class HopperSkinny : public test::OnHopper {};

// Every number of wgmma's columns, full and ragged; K in one to eight parts; a round of the ring
// and more.
TEST_F(HopperSkinny, IsExactForAnyNumberOfRows) {
  test::Pretend pretend(h100());
  for (int64_t M : {1, 2, 7, 8, 9, 16, 17, 32, 33, 64, 65, 100, 128})
    for (Along b : {Along::k, Along::rows}) {
      expect_exact<bf16>({.M = M, .N = 264, .K = 320, .b = b});
      expect_exact<f16>({.M = M, .N = 136, .K = 72, .b = b});
    }
}

TEST_F(HopperSkinny, IsExactForAnyPartsOfK) {
  test::Pretend pretend(h100());
  for (int64_t steps : {1, 4, 7, 8, 9, 16, 31, 32, 33, 70}) {
    expect_exact<bf16>({.M = 5, .N = 128, .K = 64 * steps});
    expect_exact<f16>({.M = 20, .N = 40, .K = 64 * steps - 57, .b = Along::rows});
  }
  expect_exact<bf16>({.M = 128, .N = 8, .K = 1200});
  expect_exact<bf16>({.M = 3, .N = 8, .K = 1});
}

// On few multiprocessors the tiles of C are more than run at once, and K stays whole.
TEST_F(HopperSkinny, IsExactForMoreTilesThanRunAtOnce) {
  for (int multiprocessors : {1, 2, 5}) {
    SCOPED_TRACE(multiprocessors);
    DeviceInfo device = h100();
    device.multiprocessors = multiprocessors;
    test::Pretend pretend(device);
    expect_exact<bf16>({.M = 12, .N = 520, .K = 1024});
    expect_exact<bf16>({.M = 72, .N = 520, .K = 1024});
  }
}

// Rows of C that vectors of 16 bytes do not divide, and C anywhere.
TEST_F(HopperSkinny, StoresAnyC) {
  test::Pretend pretend(h100());
  for (int64_t N : {1, 7, 130, 257}) expect_exact<bf16>({.M = 11, .N = N, .K = 520});
  for (size_t misalign : {1, 4, 7}) expect_exact<f16>({.M = 40, .N = 136, .K = 520}, misalign);
}

TEST_F(HopperSkinny, IsExactUnderEverySchedule) {
  test::Pretend pretend(h100());
  expect_exact<bf16>({.M = 9, .N = 136, .K = 584}, 0, 9);
  expect_exact<f16>({.M = 33, .N = 136, .K = 584, .b = Along::rows}, 0, 4);
  expect_exact<bf16>({.M = 90, .N = 264, .K = 584}, 0, 4);
}

TEST_F(HopperSkinny, RandomNumbersAgainstFloat64AndTheSameBitsAgain) {
  test::Pretend pretend(h100());
  for (int64_t M : {6, 50, 110}) {
    SCOPED_TRACE(M);
    TestProduct<bf16> product({.M = M, .N = 264, .K = 1096, .integers = false});
    std::vector<bf16> first;
    test::for_each_schedule(
        [&] {
          rung.run(product.arguments);
          const std::vector<bf16> c = product.c.host();
          test::expect_sum_of_products(c, product.sums, product.magnitudes, 1096);
          if (first.empty()) first = c;
          test::expect_same_bits(c, first, "again");
        },
        2);
  }
}

// A column of B that is not finite must stay in its column, a row of A in its row.
TEST_F(HopperSkinny, NanStaysInItsRowAndColumn) {
  test::Pretend pretend(h100());
  TestProduct<f16> product({.M = 10, .N = 136, .K = 520});
  std::vector<f16> a = product.a.memory->host(), b = product.b.memory->host();
  a[static_cast<size_t>(3 * product.a.stride + 511)] = f16(std::nanf(""));
  b[static_cast<size_t>(70 * product.b.stride + 5)] = f16(std::nanf(""));
  product.a.memory->upload(a);
  product.b.memory->upload(b);
  const std::vector<f16> expected = product.rounded();
  rung.run(product.arguments);
  const std::vector<f16> c = product.c.host();
  for (size_t i = 0; i < c.size(); ++i) {
    const bool poisoned = i / 136 == 3 || i % 136 == 70;
    const float is = c[i], should = expected[i];
    ASSERT_TRUE(poisoned ? std::isnan(is) : is == should) << "at " << i << ": " << is;
  }
}

TEST_F(HopperSkinny, TakesFewRowsOfOneMatrixAlongK) {
  TestProduct<bf16> product({.M = 16, .N = 32, .K = 40});
  const GemmArguments& good = product.arguments;
  EXPECT_TRUE(rung.supports(good));
  GemmArguments g = good;
  g.M = 129;
  EXPECT_FALSE(rung.supports(g)) << "too many rows";
  g = good;
  g.a_row = 1, g.a_column = 16;
  EXPECT_FALSE(rung.supports(g)) << "A along M";
  g = good;
  g.b_column = 41;
  EXPECT_FALSE(rung.supports(g)) << "columns of B of 82 bytes";
  g = good;
  g.batch_rank = 1, g.batch[0] = 2, g.a_batch[0] = 640, g.b_batch[0] = 1280;
  EXPECT_FALSE(rung.supports(g)) << "two matrices";
  g = good;
  g.dtype = DType::f32;
  EXPECT_FALSE(rung.supports(g)) << "f32";
  if (simulated()) {
    test::Pretend pretend(a100());
    EXPECT_FALSE(rung.supports(good)) << "an A100";
  }
}

TEST_F(HopperSkinny, IsChosenForFewRowsAndManyColumns) {
  test::Pretend pretend(h100());
  GemmArguments g;  // only looked at
  g.dtype = DType::bf16;
  g.N = 12288, g.K = 4096, g.a_row = 4096, g.a_column = 1, g.b_row = 1, g.b_column = 4096;
  auto choice = [&] { return std::string(gemm_choice(g).name); };
  for (int64_t M : {2, 8, 9, 128}) {
    g.M = M;
    EXPECT_EQ(choice(), "19_hopper_skinny") << M;
  }
  g.M = 1;
  EXPECT_EQ(choice(), "skinny");
  g.M = 129;
  EXPECT_EQ(choice().substr(0, 2), "16");
  g.M = 16, g.N = 127;
  EXPECT_NE(choice(), "19_hopper_skinny") << "not a whole tile of weights";
  g.N = 128;
  EXPECT_EQ(choice(), "19_hopper_skinny");
  g.K = 4104, g.a_row = 4104, g.b_column = 4104;
  EXPECT_NE(choice(), "19_hopper_skinny") << "K is more than 32 N";
  g.K = 4096, g.a_row = 4096;
  g.b_row = 128, g.b_column = 1;
  EXPECT_EQ(choice(), "19_hopper_skinny") << "B along N";
  g.M = 4, g.b_row = 129;
  EXPECT_EQ(choice(), "skinny") << "rows of B of 258 bytes";
}

}  // namespace
}  // namespace strata::gpu
