// The polynomials of vec_math.h against libm in f64, over a dense sample of all f32 values; and the
// values at infinities, NaN and zeros.
#include "kernels/common/vec_math.h"

#include <gtest/gtest.h>

namespace strata {
namespace {

// Every 211th bit pattern (a prime, so that all exponents and low bits occur): 20 million values.
constexpr uint64_t stride = 211;

// Largest error in units in the last place of the f32 nearest to the exact value.
template <class F, class G>
double worst_ulp(F f, G exact, float limit = math::infinity) {
  double worst = 0;
  for (uint64_t u = 0; u <= 0xffffffffull; u += stride) {
    float x = std::bit_cast<float>(static_cast<uint32_t>(u));
    if (!(math::absolute(x) <= limit)) continue;
    float got = f(x);
    double want = exact(static_cast<double>(x));
    if (std::isnan(want) || std::isinf(static_cast<float>(want))) {
      bool same = std::isnan(want) ? std::isnan(got) : got == static_cast<float>(want);
      EXPECT_TRUE(same) << "f(" << x << ") is " << got << " instead of " << want;
      if (!same) return HUGE_VAL;
      continue;
    }
    double unit = want == 0 ? 0x1p-149 : std::max(std::ldexp(1.0, std::ilogb(want) - 23), 0x1p-149);
    worst = std::max(worst, std::abs(got - want) / unit);
  }
  return worst;
}

TEST(VecMath, ExpIsWithinOneUlp) {
  EXPECT_LT(worst_ulp([](float x) { return math::exp(x); }, [](double x) { return std::exp(x); }),
            1.1);
}
TEST(VecMath, Expm1IsWithinTwoUlp) {
  EXPECT_LT(
      worst_ulp([](float x) { return math::expm1(x); }, [](double x) { return std::expm1(x); }), 2);
}
TEST(VecMath, LogIsWithinOneUlp) {
  EXPECT_LT(worst_ulp([](float x) { return math::log(x); }, [](double x) { return std::log(x); }),
            1);
}
TEST(VecMath, Log1pIsWithinTwoUlp) {
  EXPECT_LT(
      worst_ulp([](float x) { return math::log1p(x); }, [](double x) { return std::log1p(x); }), 2);
}
TEST(VecMath, TanhIsWithinThreeUlp) {
  EXPECT_LT(worst_ulp([](float x) { return math::tanh(x); }, [](double x) { return std::tanh(x); }),
            3);
}
TEST(VecMath, SigmoidIsWithinThreeUlp) {
  EXPECT_LT(worst_ulp([](float x) { return math::sigmoid(x); },
                      [](double x) { return 1 / (1 + std::exp(-x)); }),
            3);
}
TEST(VecMath, ErfIsWithinTwoUlp) {
  EXPECT_LT(worst_ulp([](float x) { return math::erf(x); }, [](double x) { return std::erf(x); }),
            2);
}
TEST(VecMath, SinAndCosAreWithinTwoUlp) {
  EXPECT_LT(worst_ulp([](float x) { return math::sin_moderate(x); },
                      [](double x) { return std::sin(x); }, math::trigonometric_limit),
            2);
  EXPECT_LT(worst_ulp([](float x) { return math::cos_moderate(x); },
                      [](double x) { return std::cos(x); }, math::trigonometric_limit),
            2);
}

// Relative to the result: 1 is the bound that vec_math.h states.
TEST(VecMath, NormalCumulativeKeepsItsBoundInTheTail) {
  double worst = 0, below = 0;
  for (uint64_t u = 0; u <= 0xffffffffull; u += stride) {
    const float x = std::bit_cast<float>(static_cast<uint32_t>(u));
    if (std::isnan(x)) continue;
    const double got = math::normal_cumulative(x);
    const double want = 0.5 * std::erfc(-static_cast<double>(x) * std::sqrt(0.5));
    const double error = std::abs(got - want);
    if (x < -5.5f)
      below = std::max(below, error);
    else
      worst = std::max(worst, error / want / ((8 + 3 * std::min(double(x) * x, 31.0)) * 0x1p-24));
  }
  EXPECT_LT(worst, 1);
  EXPECT_LT(below, 1e-12);
  EXPECT_EQ(math::normal_cumulative(0.0f), 0.5f);
  EXPECT_EQ(math::normal_cumulative(math::infinity), 1.0f);
  EXPECT_EQ(math::normal_cumulative(-math::infinity), 0.0f);
  EXPECT_EQ(math::normal_cumulative(40.0f), 1.0f);
  EXPECT_TRUE(std::isnan(math::normal_cumulative(math::nan)));
}
TEST(VecMath, Exp2NearlyIsNearly) {
  for (float x = -126; x < 128; x += 0.00317f) {
    const double want = std::exp2(static_cast<double>(x));
    EXPECT_LE(std::abs(math::exp2_nearly(x) - want) / want, (2 + std::abs(x)) * 0x1p-23) << x;
  }
}

TEST(VecMath, NanGivesNan) {
  for (float nan : {math::nan, -math::nan, std::bit_cast<float>(0x7f800001u)}) {
    EXPECT_TRUE(std::isnan(math::exp(nan)));
    EXPECT_TRUE(std::isnan(math::expm1(nan)));
    EXPECT_TRUE(std::isnan(math::log(nan)));
    EXPECT_TRUE(std::isnan(math::log1p(nan)));
    EXPECT_TRUE(std::isnan(math::tanh(nan)));
    EXPECT_TRUE(std::isnan(math::sigmoid(nan)));
    EXPECT_TRUE(std::isnan(math::erf(nan)));
    EXPECT_TRUE(std::isnan(math::sin_moderate(nan)));
    EXPECT_TRUE(std::isnan(math::cos_moderate(nan)));
  }
}

TEST(VecMath, InfinitiesAndEnds) {
  float inf = math::infinity;
  EXPECT_EQ(math::exp(inf), inf);
  EXPECT_EQ(math::exp(-inf), 0.0f);
  EXPECT_EQ(math::exp(88.72283f), std::exp(88.72283f)) << "the largest finite result";
  EXPECT_EQ(math::exp(88.8f), inf);
  EXPECT_GT(math::exp(-103.0f), 0.0f) << "subnormal results are kept";
  EXPECT_EQ(math::expm1(-inf), -1.0f);
  EXPECT_EQ(math::log(0.0f), -inf);
  EXPECT_EQ(math::log(-0.0f), -inf);
  EXPECT_TRUE(std::isnan(math::log(-1.0f)));
  EXPECT_EQ(math::log(inf), inf);
  EXPECT_EQ(math::log1p(-1.0f), -inf);
  EXPECT_TRUE(std::isnan(math::log1p(-1.5f)));
  EXPECT_EQ(math::tanh(inf), 1.0f);
  EXPECT_EQ(math::tanh(-inf), -1.0f);
  EXPECT_EQ(math::erf(-inf), -1.0f);
  EXPECT_EQ(math::sigmoid(-inf), 0.0f);
  EXPECT_EQ(math::sigmoid(inf), 1.0f);
  EXPECT_GT(math::sigmoid(-100.0f), 0.0f) << "subnormal results are kept";
}

TEST(VecMath, SignedZeros) {
  EXPECT_TRUE(std::signbit(math::expm1(-0.0f)));
  EXPECT_TRUE(std::signbit(math::log1p(-0.0f)));
  EXPECT_TRUE(std::signbit(math::tanh(-0.0f)));
  EXPECT_TRUE(std::signbit(math::erf(-0.0f)));
  EXPECT_TRUE(std::signbit(math::sin_moderate(-0.0f)));
  EXPECT_FALSE(std::signbit(math::sin_moderate(0.0f)));
}

}  // namespace
}  // namespace strata
