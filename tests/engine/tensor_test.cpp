// The tensor itself: views without copies, types, and what errors say.
#include "engine/tensor/tensor.h"

#include <gtest/gtest.h>

#include <limits>

#include "engine/ops/view.h"
#include "tests/support/expect.h"
#include "tests/support/oracle.h"

namespace strata {
namespace {

using test::for_each_index;
using test::values;

Tensor counting(const Dims& shape) {
  std::vector<double> v(static_cast<size_t>(shape.product()));
  for (size_t i = 0; i < v.size(); ++i) v[i] = static_cast<double>(i);
  return from_vector(v, shape);
}

TEST(Tensor, ViewsShareStorage) {
  Tensor x = counting({2, 3, 4});
  struct {
    Tensor view;
    Dims shape, strides;
    int64_t offset;
  } cases[] = {{x.reshape({6, 4}), {6, 4}, {4, 1}, 0},
               {x.reshape({-1}), {24}, {1}, 0},
               {x.permute({2, 0, 1}), {4, 2, 3}, {1, 12, 4}, 0},
               {x.transpose(0, -1), {4, 3, 2}, {1, 4, 12}, 0},
               {x.slice(1, 1, 3), {2, 2, 4}, {12, 4, 1}, 4},
               {x.slice(2, 1, 4, 2), {2, 3, 2}, {12, 4, 2}, 1},
               {x.select(0, -1), {3, 4}, {4, 1}, 12},
               {x.unsqueeze(1), {2, 1, 3, 4}, {12, 12, 4, 1}, 0},
               {x.flatten(1), {2, 12}, {12, 1}, 0},
               {flip(x, {2}), {2, 3, 4}, {12, 4, -1}, 3},
               {x.detach(), {2, 3, 4}, {12, 4, 1}, 0}};
  auto all = values(x);
  for (auto& c : cases) {
    EXPECT_TRUE(c.view.storage() == x.storage()) << describe(c.view);
    EXPECT_EQ(c.view.shape(), c.shape);
    EXPECT_EQ(c.view.offset(), c.offset);
    size_t i = 0;
    auto seen = values(c.view);
    for_each_index(c.shape, [&](const Dims& index) {
      int64_t at = c.offset;
      for (int axis = 0; axis < index.rank(); ++axis) at += index[axis] * c.strides[axis];
      EXPECT_EQ(seen[i++], all[static_cast<size_t>(at)]) << describe(c.view);
    });
  }
  Tensor wide = x.select(0, 0).unsqueeze(0).expand({5, 3, 4});
  EXPECT_TRUE(wide.storage() == x.storage());
  EXPECT_EQ(wide.strides()[0], 0);
  EXPECT_EQ(wide.numel(), 60);
}

TEST(Tensor, ReshapeCopiesOnlyWhenItMust) {
  Tensor x = counting({4, 6});
  EXPECT_TRUE(x.transpose(0, 1).reshape({6, 2, 2}).storage() == x.storage());
  Tensor copy = x.transpose(0, 1).reshape({24});
  EXPECT_FALSE(copy.storage() == x.storage());
  EXPECT_EQ(values(copy), values(x.transpose(0, 1)));
  EXPECT_TRUE(x.contiguous().storage() == x.storage());
  EXPECT_FALSE(x.clone().storage() == x.storage());
}

TEST(Tensor, ViewsOfNothing) {
  Tensor x = empty({0, 3});
  EXPECT_EQ(x.numel(), 0);
  EXPECT_TRUE(values(x).empty());
  EXPECT_EQ(x.reshape({3, 0, 2}).shape(), (Dims{3, 0, 2}));
  EXPECT_EQ(x.transpose(0, 1).shape(), (Dims{3, 0}));
  EXPECT_EQ(counting({4}).slice(0, 3, 1).numel(), 0);
}

TEST(Tensor, SliceClipsAsPython) {
  Tensor x = counting({5});
  EXPECT_EQ(values(x.slice(0, -2, 100)), (std::vector<double>{3, 4}));
  EXPECT_EQ(values(x.slice(0, -100, 2)), (std::vector<double>{0, 1}));
  EXPECT_EQ(values(x.slice(0, 1, -1, 2)), (std::vector<double>{1, 3}));
}

TEST(Tensor, HoldsEveryType) {
  EXPECT_EQ(from_vector<float>({1, 2}, {2}).dtype(), DType::f32);
  EXPECT_EQ(from_vector<int64_t>({1, 2}, {2}).dtype(), DType::i64);
  EXPECT_EQ(from_vector<int32_t>({1, 2}, {2}).dtype(), DType::i32);
  EXPECT_EQ(from_vector<uint8_t>({1, 2}, {2}).dtype(), DType::u8);
  Tensor mask = from_vector<bool>({true, false, true}, {3});
  EXPECT_EQ(mask.dtype(), DType::boolean);
  EXPECT_EQ(values(mask), (std::vector<double>{1, 0, 1}));
  EXPECT_EQ(from_values({1, 2, 3}).shape(), Dims{3});
  EXPECT_EQ(from_vector<int64_t>({int64_t{1} << 60}, {1}).to_vector<int64_t>()[0],
            int64_t{1} << 60);
}

TEST(Tensor, SixteenBitFloatsRoundToNearestEven) {
  EXPECT_EQ(float(bf16(1.0f + 0x1p-8f)), 1.0f) << "a tie goes to even";
  EXPECT_EQ(float(bf16(1.0f + 0x1.8p-8f)), 1.0f + 0x1p-7f);
  EXPECT_EQ(float(f16(1.0f + 0x1p-11f)), 1.0f) << "a tie goes to even";
  EXPECT_EQ(float(f16(65504.0f)), 65504.0f);
  EXPECT_TRUE(std::isinf(float(f16(65520.0f))));
  EXPECT_EQ(float(f16(0x1p-24f)), 0x1p-24f) << "the smallest subnormal";
  EXPECT_EQ(float(f16(0x1p-26f)), 0.0f);
  EXPECT_TRUE(std::isnan(float(f16(std::numeric_limits<float>::quiet_NaN()))));
  EXPECT_TRUE(std::isnan(float(bf16(std::numeric_limits<float>::quiet_NaN()))));
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {  // every value survives the way there and back
    f16 h;
    bf16 b;
    h.bits = b.bits = static_cast<uint16_t>(bits);
    if (!std::isnan(float(h))) {
      ASSERT_EQ(f16(float(h)).bits, bits);
    }
    if (!std::isnan(float(b))) {
      ASSERT_EQ(bf16(float(b)).bits, bits);
    }
  }
}

TEST(Tensor, PromotesTypes) {
  using enum DType;
  const DType order[] = {boolean, u8, i32, i64, bf16, f32, f64};
  for (DType a : order) {
    for (DType b : order) EXPECT_EQ(promote(a, b), promote(b, a));
  }
  for (int i = 0; i < 7; ++i) {
    for (int j = 0; j < 7; ++j) EXPECT_EQ(promote(order[i], order[j]), order[std::max(i, j)]);
  }
  EXPECT_EQ(promote(i64, f16), f16);
  EXPECT_EQ(promote(f16, f32), f32);
  EXPECT_EQ(promote(f16, bf16), f32);
  EXPECT_EQ(promote(f16, f16), f16);
}

TEST(Tensor, DescribesItself) {
  EXPECT_EQ(describe(empty({32, 784})), "f32[32,784]");
  EXPECT_EQ(describe(empty({}, DType::bf16)), "bf16[]");
  EXPECT_EQ(describe(empty({0}, DType::boolean)), "bool[0]");
  EXPECT_EQ(describe(Tensor()), "undefined");
}

TEST(Tensor, ItemNeedsOneElement) {
  EXPECT_EQ(counting({2, 2}).select(0, 1).select(0, 1).item(), 3);
  EXPECT_EQ(counting({1, 1}).item(), 0);
  EXPECT_FAILS(counting({2, 2}).item(),
               R"(\[item\] f64\[2,2\] has 4 elements.*tensor_test\.cpp:\d+)");
  EXPECT_FAILS(Tensor().item(), "undefined");
}

TEST(Tensor, ErrorsSayWhatWasGiven) {
  Tensor x = counting({2, 3});
  EXPECT_FAILS(x.data<float>(), R"(f64\[2,3\] does not hold f32.*tensor_test)");
  EXPECT_FAILS(from_vector<double>({1, 2, 3}, {2, 2}), R"(3 values do not fill shape \[2,2\])");
  EXPECT_FAILS(x.size(2), "axis 2");
  EXPECT_FAILS(x.reshape({4, 2}), R"(\[reshape\].*\[2,3\].*\[4,2\].*tensor_test)");
  EXPECT_FAILS(empty({2, -1}), "negative");
  EXPECT_FAILS(empty({1 << 30, 1 << 30}), "more memory than any machine has");
  EXPECT_FAILS(device_from("tpu"), "'tpu' is unknown; there are: cpu, gpu");
  EXPECT_EQ(device_from("gpu"), Device::gpu);
  EXPECT_TRUE(is_available(Device::cpu));
}

TEST(Tensor, GradientsNeedFloats) {
  Tensor i = from_vector<int64_t>({1, 2}, {2});
  EXPECT_FAILS(i.set_requires_grad(), R"(i64\[2\] cannot have a gradient)");
  EXPECT_FAILS(counting({2}).retain_grad(), "does not require a gradient");
  EXPECT_FAILS(counting({2}).set_grad(counting({2})), "does not require a gradient");
}

}  // namespace
}  // namespace strata
