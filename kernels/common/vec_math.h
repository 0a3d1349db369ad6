// Elementary functions for loops: branch-free polynomials that inline, so that the compiler
// vectorises a loop over them with whatever registers the machine has.
//
// f32 only; the overloads for double call libm. "n ulp" is the largest error against f64, in units
// in the last place of the result, that tests/kernels/vec_math_test.cpp allows. NaN gives NaN;
// infinities and signed zeros give what C's Annex F says; subnormal results are rounded, not
// flushed.
//
// Nothing here relies on fused multiply-add: with contraction switched off (as in kernels/random)
// the same bits come out on every machine; those of exp2_nearly() and normal_cumulative() apart,
// which on a GPU take the hardware's 2^x.
//
// Sources: Cody and Waite 1980 (reductions), Moshier's Cephes 2.2 (polynomials of exp, log, sin,
// cos), Juffa (erf).
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "kernels/common/host_device.h"

#ifdef __CUDACC__
#define STRATA_INLINE STRATA_HOST_DEVICE __forceinline__
#else
#define STRATA_INLINE [[gnu::always_inline]] inline
#endif

namespace strata::math {

inline constexpr float infinity = std::numeric_limits<float>::infinity();
inline constexpr float nan = std::numeric_limits<float>::quiet_NaN();

// 2^n for -126 <= n <= 127.
STRATA_INLINE float power_of_two(int32_t n) {
  return std::bit_cast<float>(static_cast<uint32_t>(n + 127) << 23);
}
STRATA_INLINE float copy_sign(float magnitude, float sign) {
  return std::bit_cast<float>((std::bit_cast<uint32_t>(magnitude) & 0x7fffffffu) |
                              (std::bit_cast<uint32_t>(sign) & 0x80000000u));
}
STRATA_INLINE float absolute(float x) {
  return std::bit_cast<float>(std::bit_cast<uint32_t>(x) & 0x7fffffffu);
}

namespace detail {

// x = n ln 2 + r with |r| <= ln(2) / 2, for |x| < 2^21, and e^r - 1. ln 2 is in two pieces so that
// n times the first is exact. n comes from the low bits of x / ln 2 + 1.5 * 2^23; NaN gives some n
// and a NaN remainder.
struct Exponential {
  int32_t n;
  float remainder;  // e^r - 1
};
STRATA_INLINE Exponential exponential(float x) {
  float shifted = x * 1.44269504088896341f + 12582912.0f;
  int32_t n = static_cast<int32_t>(std::bit_cast<uint32_t>(shifted) - 0x4b400000u);
  float whole = shifted - 12582912.0f;
  float r = (x - whole * 0.693359375f) - whole * -2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  return {n, p * (r * r) + r};
}
// value * 2^n for -252 <= n <= 254: in two factors, since 2^n itself may not be a float.
STRATA_INLINE float scale(float value, int32_t n) {
  int32_t half = n >> 1;
  return value * power_of_two(half) * power_of_two(n - half);
}

// log(1 + f) - f for sqrt(1/2) - 1 <= f < sqrt(2) - 1.
STRATA_INLINE float log_tail(float f) {
  float p = 7.0376836292e-2f;
  p = p * f - 1.1514610310e-1f;
  p = p * f + 1.1676998740e-1f;
  p = p * f - 1.2420140846e-1f;
  p = p * f + 1.4249322787e-1f;
  p = p * f - 1.6668057665e-1f;
  p = p * f + 2.0000714765e-1f;
  p = p * f - 2.4999993993e-1f;
  p = p * f + 3.3333331174e-1f;
  float square = f * f;
  return p * f * square - 0.5f * square;
}
// x = m 2^e with sqrt(1/2) <= m < sqrt(2), for normal x > 0.
struct Split {
  float mantissa;
  int32_t exponent;
};
STRATA_INLINE Split split(float x) {
  uint32_t bits = std::bit_cast<uint32_t>(x) - 0x3f3504f3u;
  return {std::bit_cast<float>((bits & 0x007fffffu) + 0x3f3504f3u),
          static_cast<int32_t>(bits) >> 23};
}

// log(m 2^e).
STRATA_INLINE float log_of(Split x) {
  float e = static_cast<float>(x.exponent), f = x.mantissa - 1.0f;
  return ((log_tail(f) + e * -2.12194440e-4f) + f) + e * 0.693359375f;
}

// sin and cos for |r| <= pi / 4.
STRATA_INLINE float sin_near_zero(float r) {
  float s = r * r;
  float p = -1.9515295891e-4f;
  p = p * s + 8.3321608736e-3f;
  p = p * s - 1.6666654611e-1f;
  return p * s * r + r;
}
STRATA_INLINE float cos_near_zero(float r) {
  float s = r * r;
  float p = 2.443315711809948e-5f;
  p = p * s - 1.388731625493765e-3f;
  p = p * s + 4.166664568298827e-2f;
  return (p * s * s - 0.5f * s) + 1.0f;
}
// sin(x + quarter_turns * pi / 2) for |x| <= trigonometric_limit. The reduction is in f64: near the
// multiples of pi / 2 the remainder keeps few bits of x.
STRATA_INLINE float sine(float x, uint32_t quarter_turns) {
  double shifted = static_cast<double>(x) * 0.63661977236758134308 + 6755399441055744.0;
  double whole = shifted - 6755399441055744.0;
  uint32_t quadrant =
      static_cast<uint32_t>(static_cast<int32_t>(whole == whole ? whole : 0.0)) + quarter_turns;
  double rest = (static_cast<double>(x) - whole * 0x1.921fb544p+0) - whole * 0x1.0b4611a626331p-34;
  float r = static_cast<float>(rest);
  float value = quadrant & 1u ? cos_near_zero(r) : sin_near_zero(r);
  return std::bit_cast<float>(std::bit_cast<uint32_t>(value) ^ ((quadrant & 2u) << 30));
}

}  // namespace detail

// 1.01 ulp.
STRATA_INLINE float exp(float x) {
  // Beyond these the result is infinite or 0 all the same; NaN passes both comparisons.
  float clipped = x > 89.0f ? 89.0f : x;
  clipped = clipped < -104.0f ? -104.0f : clipped;
  auto [n, remainder] = detail::exponential(clipped);
  return detail::scale(remainder + 1.0f, n);
}

// exp(x) - 1 without cancellation near 0. 2 ulp.
STRATA_INLINE float expm1(float x) {
  float clipped = x > 89.0f ? 89.0f : x;
  clipped = clipped < -20.0f ? -20.0f : clipped;
  auto [n, remainder] = detail::exponential(clipped);
  float one = 1.0f - power_of_two(n > 126 ? -126 : -n);  // e^x - 1 = 2^n (e^r - 2^-n)
  return copy_sign(detail::scale(remainder + one, n), x);
}

// 2^x to a relative error of (2 + |x|) 2^-23: one instruction on a GPU, which gives 0 below 2^-126.
STRATA_INLINE float exp2_nearly(float x) {
#ifdef __CUDA_ARCH__
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(x) : "f"(x));
  return x;
#else
  return exp(x * 0.693147181f);
#endif
}

// 1 ulp.
STRATA_INLINE float log(float x) {
  bool subnormal = x < 0x1p-126f;
  auto [mantissa, exponent] = detail::split(subnormal ? x * 0x1p23f : x);
  float value = detail::log_of({mantissa, exponent - (subnormal ? 23 : 0)});
  value = x == infinity ? infinity : value;
  value = x == 0.0f ? -infinity : value;
  return x < 0.0f || x != x ? nan : value;
}

// log(1 + x) without cancellation near 0. 2 ulp.
STRATA_INLINE float log1p(float x) {
  float u = 1.0f + x;
  float lost = x > 1.0f ? 1.0f - (u - x) : x - (u - 1.0f);  // what rounding 1 + x dropped
  auto [mantissa, exponent] = detail::split(u);
  float e = static_cast<float>(exponent);
  float f = (mantissa - 1.0f) + lost * power_of_two(exponent > 126 ? -126 : -exponent);
  float value = ((detail::log_tail(f) + e * -2.12194440e-4f) + f) + e * 0.693359375f;
  value = x == infinity ? infinity : copy_sign(value, x);
  value = x == -1.0f ? -infinity : value;
  return x < -1.0f || x != x ? nan : value;
}

// 3 ulp: expm1(2|x|) / (expm1(2|x|) + 2).
STRATA_INLINE float tanh(float x) {
  float magnitude = absolute(x);
  float t = expm1(2.0f * (magnitude > 10.0f ? 10.0f : magnitude));
  return copy_sign(t / (t + 2.0f), x);
}

// 1 / (1 + exp(-x)). 3 ulp.
STRATA_INLINE float sigmoid(float x) {
  float e = exp(-absolute(x));
  return (x < 0.0f ? e : 1.0f) / (1.0f + e);
}

// 2 ulp.
STRATA_INLINE float erf(float x) {
  float t = absolute(x), s = x * x;
  float near = -5.96761703e-4f;
  near = near * s + 4.99119423e-3f;
  near = near * s - 2.67681349e-2f;
  near = near * s + 1.12819925e-1f;
  near = near * s - 3.76125336e-1f;
  near = near * s + 1.28379166e-1f;
  near = near * x + x;
  float far = -1.72853470e-5f * t + 3.83197126e-4f;
  far = far * s + (-3.88396438e-3f * t + 2.42546219e-2f);
  far = far * t - 1.06777877e-1f;
  far = far * t - 6.34846687e-1f;
  far = far * t - 1.28717512e-1f;
  far = far * t - t;
  far = t > 4.0f ? 1.0f : 1.0f - exp(far);  // 1 - erf(4) is 1.5e-8
  return t > 0.927734375f ? copy_sign(far, x) : near;
}

// The distribution function of the standard normal, (1 + erf(x / sqrt(2))) / 2, for functions that
// would otherwise lose its tail to 1 + erf. 2^(|x| P(|x|) - 1) is that of -|x|: P is a fit for
// |x| <= 5.5 that falls to -infinity beyond. Relative error (8 + 3 x^2) 2^-24 for x >= -5.5; below
// that the result is under 2e-8 and its error under 1e-12.
STRATA_INLINE float normal_cumulative(float x) {
  float t = absolute(x);
  float p = -2.23156693e-8f;
  p = p * t + 6.8331741e-7f;
  p = p * t - 8.99681618e-6f;
  p = p * t + 6.44821266e-5f;
  p = p * t - 2.36863649e-4f;
  p = p * t - 9.15689525e-5f;
  p = p * t + 7.06129381e-3f;
  p = p * t - 5.25191352e-2f;
  p = p * t - 4.59195852e-1f;
  p = p * t - 1.15110683f;
  float tail = exp2_nearly(p * t - 1.0f);
  return x < 0.0f ? tail : 1.0f - tail;
}

// sin and cos for |x| <= trigonometric_limit; larger arguments (and infinities) need libm, whose
// reduction has the hundreds of bits of pi that they ask for. 2 ulp.
inline constexpr float trigonometric_limit = 0x1p20f;
STRATA_INLINE float sin_moderate(float x) {
  float value = detail::sine(x, 0);
  return x == 0.0f ? x : value;
}
STRATA_INLINE float cos_moderate(float x) { return detail::sine(x, 1); }

STRATA_INLINE double exp(double x) { return std::exp(x); }
STRATA_INLINE double exp2_nearly(double x) { return std::exp2(x); }
STRATA_INLINE double expm1(double x) { return std::expm1(x); }
STRATA_INLINE double log(double x) { return std::log(x); }
STRATA_INLINE double log1p(double x) { return std::log1p(x); }
STRATA_INLINE double tanh(double x) { return std::tanh(x); }
STRATA_INLINE double erf(double x) { return std::erf(x); }
STRATA_INLINE double normal_cumulative(double x) {
  return 0.5 * std::erfc(-0.70710678118654752440 * x);
}
STRATA_INLINE double sigmoid(double x) {
  double e = std::exp(-std::fabs(x));
  return (x < 0.0 ? e : 1.0) / (1.0 + e);
}

}  // namespace strata::math
