// What the op table does not ask of indexing, order and views: collisions, threads, NaN, sharing.
#include "engine/ops/index.h"

#include <gtest/gtest.h>

#include <cstring>
#include <limits>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "kernels/common/parallel.h"
#include "tests/support/op_table.h"

namespace strata::test {
namespace {

constexpr float nan = std::numeric_limits<float>::quiet_NaN();

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && a.dtype() == b.dtype() &&
         std::memcmp(a.raw(), b.raw(), static_cast<size_t>(a.numel()) * size_of(a.dtype())) == 0;
}

TEST(View, SharesStorage) {
  Tensor x = empty({4, 6});
  for (const Tensor& v :
       {reshape(x, {2, 12}), transpose(x, 0, 1), slice(x, 1, 1, 5, 2), select(x, 0, 2),
        expand(unsqueeze(x, 0), {3, 4, 6}), flip(x, {0}), flatten(x), split(x, 2)[1]}) {
    EXPECT_EQ(v.storage(), x.storage()) << describe(v);
  }
  EXPECT_EQ(reshape(slice(x, 0, 1, 3), {12}).storage(), x.storage()) << "rows are contiguous";
  EXPECT_NE(reshape(transpose(x, 0, 1), {24}).storage(), x.storage()) << "strides cannot say it";
}

TEST(View, OfAViewKeepsItsPlace) {
  Tensor x = arange(0, 24, 1, DType::f32).reshape({4, 6});
  Tensor v = flip(x, {1}).slice(1, 1, 6, 2).select(0, -1);
  EXPECT_EQ(v.to_vector<double>(), (std::vector<double>{22, 20, 18}));
  EXPECT_EQ(v.flatten().unsqueeze(0).squeeze(0).expand({2, 3}).to_vector<double>(),
            (std::vector<double>{22, 20, 18, 22, 20, 18}));
}

TEST(Scatter, TheLastWriteWinsAndTakesTheGradient) {
  Tensor x = from_values({1, 2, 3}), source = from_values({10, 20, 30});
  x.set_requires_grad();
  source.set_requires_grad();
  Tensor index = from_vector<int64_t>({1, 1, 0}, {3});
  Tensor y = scatter(x, 0, index, source);
  EXPECT_EQ(y.to_vector<double>(), (std::vector<double>{30, 20, 3}));
  sum(y * from_values({1, 10, 100})).backward();
  EXPECT_EQ(x.grad().to_vector<double>(), (std::vector<double>{0, 0, 100}));
  EXPECT_EQ(source.grad().to_vector<double>(), (std::vector<double>{0, 10, 1}));
}

TEST(ScatterAdd, SixteenBitFloatsKeepSmallTerms) {
  int64_t n = 4096;  // a bf16 counter stops at 256
  Tensor index = zeros({n}, DType::i64);
  Tensor y = scatter_add(zeros({1}, DType::bf16), 0, index, ones({n}, DType::bf16));
  EXPECT_EQ(y.item(), 4096);
}

TEST(ScatterAdd, DoesNotDependOnTheThreadCount) {
  Random random(5);
  struct Size {
    int64_t rows, width, count;
  };
  int before = thread_count();
  for (Size s : {Size{50, 200, 900}, Size{50, 3, 40000}, Size{1000, 1, 90000}, Size{3, 5000, 40}}) {
    Tensor index = to_tensor(random.integers({s.count}, 0, s.rows), DType::f32);
    Tensor source = to_tensor(random.uniform({s.count, s.width}), DType::f32);
    Tensor table = to_tensor(random.uniform({s.rows, s.width}), DType::f32);
    set_thread_count(1);
    Tensor added = index_add(table, 0, index, source), read = embedding(table, index);
    Tensor across = index_add(table.transpose(0, 1), 1, index, source.transpose(0, 1));
    for (int threads : {2, 5}) {
      set_thread_count(threads);
      EXPECT_TRUE(same_bits(added, index_add(table, 0, index, source))) << s.width;
      EXPECT_TRUE(same_bits(read, embedding(table, index))) << s.width;
      EXPECT_TRUE(
          same_bits(across, index_add(table.transpose(0, 1), 1, index, source.transpose(0, 1))));
    }
    EXPECT_EQ(across.transpose(0, 1).to_vector<double>(), added.to_vector<double>());
  }
  set_thread_count(before);
}

TEST(Sort, IsStableAndPutsNaNLast) {
  Tensor x = from_values({2, nan, 1, -0.0f, 0.0f, 2, -1, nan});
  auto up = sort(x), down = sort(x, 0, true);
  EXPECT_EQ(up.indices.to_vector<int64_t>(), (std::vector<int64_t>{6, 3, 4, 2, 0, 5, 1, 7}));
  EXPECT_EQ(down.indices.to_vector<int64_t>(), (std::vector<int64_t>{1, 7, 0, 5, 2, 3, 4, 6}));
  EXPECT_EQ(topk(x, 3).indices.to_vector<int64_t>(), (std::vector<int64_t>{1, 7, 0}));
  EXPECT_EQ(topk(x, 3, 0, false).indices.to_vector<int64_t>(), (std::vector<int64_t>{6, 3, 4}));
}

TEST(Sort, OrdersExtremesOfEveryType) {
  auto order = [](const Tensor& x) { return argsort(x).to_vector<int64_t>(); };
  constexpr auto low = std::numeric_limits<int64_t>::min(), high = -(low + 1);
  EXPECT_EQ(order(from_vector<int64_t>({high, -1, 0, low}, {4})),
            (std::vector<int64_t>{3, 1, 2, 0}));
  EXPECT_EQ(order(from_vector<uint8_t>({255, 0, 128}, {3})), (std::vector<int64_t>{1, 2, 0}));
  EXPECT_EQ(order(from_vector<bool>({true, false, true}, {3})), (std::vector<int64_t>{1, 0, 2}));
  double inf = std::numeric_limits<double>::infinity();
  EXPECT_EQ(order(from_vector<double>({inf, 1e-310, -inf, -1e300, 0}, {5})),
            (std::vector<int64_t>{2, 3, 4, 1, 0}));
}

TEST(Concatenate, PromotesTypes) {
  Tensor y = concatenate({ones({2}, DType::i32), ones({2}, DType::f32)});
  EXPECT_EQ(y.dtype(), DType::f32);
  EXPECT_EQ(concatenate({ones({1}, DType::f16), ones({1}, DType::bf16)}).dtype(), DType::f32);
}

TEST(Split, PartsGiveTheirGradientsBack) {
  Tensor x = arange(0, 6, 1, DType::f32);
  x.set_requires_grad();
  auto parts = split(x, 2);
  sum(parts[0] * parts[2]).backward();
  EXPECT_EQ(x.grad().to_vector<double>(), (std::vector<double>{4, 5, 0, 0, 0, 1}));
}

}  // namespace
}  // namespace strata::test
