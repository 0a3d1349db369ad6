// What the op table cannot say about elementwise ops: values at NaN and infinities, integers that
// wrap, types of mixed operands, ties, overlapping writes, and strides of every kind.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "engine/autograd/autograd.h"
#include "engine/ops.h"
#include "kernels/common/parallel.h"

namespace strata {
namespace {

constexpr double inf = std::numeric_limits<double>::infinity();
constexpr double nan = std::numeric_limits<double>::quiet_NaN();

std::vector<double> values(const Tensor& t) { return t.to_vector<double>(); }
Tensor f64(std::vector<double> v) {
  int64_t n = static_cast<int64_t>(v.size());
  return from_vector(v, {n});
}

TEST(Elementwise, NanPropagates) {
  for (DType dtype : {DType::f64, DType::f32, DType::bf16, DType::f16}) {
    Tensor x = f64(std::vector<double>(19, nan)).to(dtype), one = scalar(1, dtype);
    for (const Tensor& y :
         {x + one,         one - x,         x * one,         x / one,         maximum(x, one),
          maximum(one, x), minimum(x, one), minimum(one, x), pow(x, one),     neg(x),
          abs(x),          sign(x),         floor(x),        exp(x),          log(x),
          sqrt(x),         sin(x),          cos(x),          tanh(x),         sigmoid(x),
          erf(x),          relu(x),         leaky_relu(x),   elu(x),          softplus(x),
          silu(x),         gelu(x),         gelu_tanh(x),    hard_sigmoid(x), hard_swish(x),
          clamp(x, -1, 1)}) {
      for (double v : values(y)) EXPECT_TRUE(std::isnan(v)) << name_of(dtype);
    }
    for (double v : values(equal(x, x))) EXPECT_EQ(v, 0);
    for (double v : values(not_equal(x, x))) EXPECT_EQ(v, 1);
  }
}

TEST(Elementwise, Infinities) {
  Tensor x = from_values({INFINITY, -INFINITY});
  EXPECT_EQ(values(exp(x)), (std::vector<double>{inf, 0}));
  EXPECT_EQ(values(tanh(x)), (std::vector<double>{1, -1}));
  EXPECT_EQ(values(sigmoid(x)), (std::vector<double>{1, 0}));
  EXPECT_EQ(values(softplus(x)), (std::vector<double>{inf, 0}));
  EXPECT_EQ(values(relu(x)), (std::vector<double>{inf, 0}));
  EXPECT_EQ(values(reciprocal(x)), (std::vector<double>{0, 0}));
  EXPECT_EQ(values(clamp(x, -1, 1)), (std::vector<double>{1, -1}));
  EXPECT_TRUE(std::isnan(values(sin(x))[0]));
  EXPECT_EQ(values(log(from_values({0}))), (std::vector<double>{-inf}));
}

TEST(Elementwise, LargeArgumentsOfSine) {
  Tensor x = from_values({1e6f, 3e7f, 1e30f, 0.5f});
  auto s = values(sin(x)), c = values(cos(x)), v = values(x);
  for (size_t i = 0; i < v.size(); ++i) {
    EXPECT_NEAR(s[i], std::sin(v[i]), 1e-7);
    EXPECT_NEAR(c[i], std::cos(v[i]), 1e-7);
  }
}

TEST(Elementwise, IntegersWrap) {
  Tensor large = full({3}, 2147483647, DType::i32), byte = full({3}, 255, DType::u8);
  EXPECT_EQ(values(add(large, 1))[0], -2147483648.0);
  EXPECT_EQ(values(mul(large, 2))[0], -2);
  EXPECT_EQ(values(add(byte, 1))[0], 0);
  EXPECT_EQ(values(neg(full({1}, -2147483648.0, DType::i32)))[0], -2147483648.0);
}

TEST(Elementwise, PowersOfIntegers) {
  Tensor base = from_vector<int64_t>({2, -3, 1, -1, 5}, {5});
  EXPECT_EQ(values(pow(base, 3)), (std::vector<double>{8, -27, 1, -1, 125}));
  Tensor down = from_vector<int64_t>({-1, -1, -1, -2, 0}, {5});
  EXPECT_EQ(values(pow(base, down)), (std::vector<double>{0, 0, 1, 1, 1}));
}

TEST(Elementwise, TypesOfMixedOperands) {
  Tensor boolean = ones({2}, DType::boolean), whole = ones({2}, DType::i32);
  Tensor half = ones({2}, DType::f16), brain = ones({2}, DType::bf16), single = ones({2});
  EXPECT_EQ((boolean + whole).dtype(), DType::i32);
  EXPECT_EQ((whole + half).dtype(), DType::f16);
  EXPECT_EQ((half + brain).dtype(), DType::f32);
  EXPECT_EQ((half + single).dtype(), DType::f32);
  EXPECT_EQ((whole / whole).dtype(), DType::f32);
  EXPECT_EQ((whole + 2.0).dtype(), DType::i32);
  EXPECT_EQ((whole + 0.5).dtype(), DType::f32);
  EXPECT_EQ((half * 0.1).dtype(), DType::f16);
  EXPECT_EQ((boolean + 1.0).dtype(), DType::i64);
  EXPECT_EQ(values(whole + 0.5), (std::vector<double>{1.5, 1.5}));
  EXPECT_EQ(values(boolean + boolean), (std::vector<double>{1, 1})) << "or";
  EXPECT_EQ(exp(whole).dtype(), DType::f32);
}

// 16-bit floats are computed in f32 and rounded to nearest even once, at the end.
TEST(Elementwise, SixteenBitsRoundToNearestEven) {
  Tensor one = scalar(1, DType::f16);
  EXPECT_EQ((one + scalar(0x1p-11, DType::f16)).item(), 1.0) << "half way, to even";
  EXPECT_EQ((one + scalar(0x1.8p-11, DType::f16)).item(), 1.0 + 0x1p-10);
  EXPECT_EQ(add(scalar(1, DType::bf16), 0x1.01p-8).item(), 1.0 + 0x1p-7)
      << "a number is not rounded to the type before it is added";
}

TEST(Elementwise, ConversionsSaturate) {
  Tensor x = f64({1.9, -1.9, 300, -5, nan, inf, -inf, 1e300});
  EXPECT_EQ(values(x.to(DType::u8)), (std::vector<double>{1, 0, 255, 0, 0, 255, 0, 255}));
  EXPECT_EQ(values(x.to(DType::i32)),
            (std::vector<double>{1, -1, 300, -5, 0, 2147483647.0, -2147483648.0, 2147483647.0}));
  EXPECT_EQ(x.to(DType::i64).to_vector<int64_t>()[7], INT64_MAX);
  EXPECT_EQ(values(x.to(DType::boolean)), (std::vector<double>{1, 1, 1, 1, 1, 1, 1, 1}));
  EXPECT_EQ(values(f64({0.0, -0.0, 0.5}).to(DType::boolean)), (std::vector<double>{0, 0, 1}));
}

TEST(Elementwise, EveryF16SurvivesConversion) {
  Tensor bits = empty({65536}, DType::f16);
  for (int i = 0; i < 65536; ++i) bits.data<f16>()[i].bits = static_cast<uint16_t>(i);
  Tensor back = bits.to(DType::f32).to(DType::f16);
  auto wide = bits.to(DType::f32).to_vector<float>();
  for (size_t i = 0; i < 65536; ++i) {
    float want = bits.data<f16>()[i];
    if (std::isnan(want)) {
      EXPECT_TRUE(std::isnan(wide[i]));
      continue;
    }
    ASSERT_EQ(wide[i], want);
    ASSERT_EQ(back.data<f16>()[i].bits, i);
  }
}

TEST(Elementwise, GradientsAtKinksAndTies) {
  auto slope = [](const std::function<Tensor(const Tensor&)>& f, double at) {
    Tensor x = scalar(at).set_requires_grad();
    return grad(f(x), x, {.allow_unused = true}).item();
  };
  EXPECT_EQ(slope([](const Tensor& x) { return relu(x); }, 0), 0);
  EXPECT_EQ(slope([](const Tensor& x) { return abs(x); }, 0), 0);
  EXPECT_EQ(slope([](const Tensor& x) { return leaky_relu(x, 0.25); }, 0), 0.25);
  EXPECT_EQ(slope([](const Tensor& x) { return clamp(x, -1, 2); }, 2), 1) << "closed interval";
  EXPECT_EQ(slope([](const Tensor& x) { return clamp(x, -1, 2); }, -1), 1);
  EXPECT_EQ(slope([](const Tensor& x) { return clamp(x, -1, 2); }, 2.5), 0);
  EXPECT_EQ(slope([](const Tensor& x) { return maximum(x, scalar(3)); }, 3), 0.5);
  EXPECT_EQ(slope([](const Tensor& x) { return minimum(scalar(3), x); }, 3), 0.5);
  EXPECT_EQ(slope([](const Tensor& x) { return pow(x, 3.0); }, 0), 0);
  EXPECT_EQ(slope([](const Tensor& x) { return pow(x, scalar(1)); }, 0), 1);
  EXPECT_EQ(slope([](const Tensor& x) { return pow(x, 0.0); }, 0), 0);
}

TEST(Elementwise, WhereKeepsNanOut) {
  Tensor x = from_values({-1, 4}).set_requires_grad();
  Tensor y = where(less(x, scalar(0)), scalar(0), sqrt(where(less(x, scalar(0)), scalar(1), x)));
  EXPECT_EQ(values(y), (std::vector<double>{0, 2}));
  EXPECT_EQ(values(grad(sum(y), x)), (std::vector<double>{0, 0.25}));
}

TEST(InPlace, OverlappingViewsAreCopiedFirst) {
  Tensor x = arange(0, 8, 1, DType::f32);
  copy_(x.slice(0, 1, 8), x.slice(0, 0, 7));
  EXPECT_EQ(values(x), (std::vector<double>{0, 0, 1, 2, 3, 4, 5, 6}));
  x = arange(0, 8, 1, DType::f32);
  add_(x, flip(x, {0}));
  EXPECT_EQ(values(x), std::vector<double>(8, 7));
  x = arange(0, 9, 1, DType::f32).reshape({3, 3});
  copy_(x, x.transpose(0, 1));
  EXPECT_EQ(values(x), (std::vector<double>{0, 3, 6, 1, 4, 7, 2, 5, 8}));
  x = arange(0, 4, 1, DType::f32);
  add_(x, x, 2.0);
  EXPECT_EQ(values(x), (std::vector<double>{0, 3, 6, 9}));
}

TEST(InPlace, StaleSavedValuesAreNoticed) {
  Tensor x = ones({3}).set_requires_grad(), y = full({3}, 2.0);
  Tensor z = sum(x * y);
  mul_(y, 3);
  EXPECT_THROW(z.backward(), Error);
}

// A permutation of five axes with broadcasting and a flip, large enough for tiles and threads,
// against indexing by hand.
TEST(Strides, AnyOrderOfAxes) {
  int before = thread_count();
  Dims shape{5, 12, 3, 70, 9};
  Tensor x = arange(0, 113400, 1, DType::f32).reshape(shape);
  for (const Dims& order : {Dims{4, 3, 2, 1, 0}, Dims{0, 3, 1, 4, 2}, Dims{2, 4, 0, 1, 3}}) {
    Tensor turned = flip(x.permute(order), {1});
    Tensor row = arange(0, turned.size(-1), 1, DType::f32);
    std::vector<float> want;
    auto plain = turned.to_vector<float>();
    for (size_t i = 0; i < plain.size(); ++i) {
      want.push_back(plain[i] + static_cast<float>(i % static_cast<size_t>(turned.size(-1))));
    }
    for (int threads : {1, 3}) {
      set_thread_count(threads);
      EXPECT_EQ(turned.contiguous().to_vector<float>(), plain);
      EXPECT_EQ((turned + row).to_vector<float>(), want);
      EXPECT_EQ((turned.to(DType::f16).to(DType::f32)).numel(), turned.numel());
      EXPECT_EQ(turned.to(DType::i32).to_vector<float>(), plain);
    }
  }
  set_thread_count(before);
}

TEST(Strides, TransposesOfAwkwardSizes) {
  for (int64_t rows : {1, 7, 64, 65, 129}) {
    for (int64_t columns : {1, 8, 63, 64, 200}) {
      Tensor x =
          arange(0, static_cast<double>(rows * columns), 1, DType::i32).reshape({rows, columns});
      auto got = x.transpose(0, 1).contiguous().to_vector<int32_t>();
      for (int64_t i = 0; i < rows * columns; ++i) {
        ASSERT_EQ(got[static_cast<size_t>(i)], i % rows * columns + i / rows);
      }
    }
  }
}

}  // namespace
}  // namespace strata
