// From words to values: what the CPU and the GPU both do with Philox's words. Neither contracts a
// product and a sum to one operation here (a compile option of the files), so the bits agree.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

#include "kernels/common/numeric.h"
#include "kernels/common/vec_math.h"

namespace strata::random {

STRATA_HOST_DEVICE inline uint64_t join(const uint32_t* words) {
  return words[0] | static_cast<uint64_t>(words[1]) << 32;
}

// [0, 1) with as many bits as the type holds.
STRATA_HOST_DEVICE inline float unit(const uint32_t* word, float) {
  return static_cast<float>(word[0] >> 8) * 0x1p-24f;
}
STRATA_HOST_DEVICE inline double unit(const uint32_t* word, double) {
  return static_cast<double>(join(word) >> 11) * 0x1p-53;
}

// The largest value of T below `high`.
template <class T>
T next_below(double high) {
  T value = static_cast<T>(static_cast<Compute<T>>(high));
  if constexpr (std::is_floating_point_v<T>) {
    while (static_cast<double>(value) >= high) value = std::nextafter(value, T(-INFINITY));
  } else {
    while (static_cast<double>(static_cast<float>(value)) >= high) {
      bool negative = value.bits & 0x8000u, zero = (value.bits & 0x7fffu) == 0;
      value.bits = static_cast<uint16_t>(zero       ? 0x8001u
                                         : negative ? value.bits + 1
                                                    : value.bits - 1);
    }
  }
  return value;
}

template <class T>
struct Normals {
  T first, second;
};
// Two independent normals from two uniform numbers: a radius sqrt(-2 log u) and an angle. The
// angle's word gives a quarter turn (top two bits) and a remainder of -1/8 to 1/8 turn.
STRATA_INLINE Normals<float> box_muller(const uint32_t* word, float) {
  float u = static_cast<float>(word[0]) * 0x1p-32f + 0x1p-33f;  // (0, 1]
  float radius = std::sqrt(-2.0f * math::detail::log_of(math::detail::split(u)));
  float r =
      static_cast<float>(static_cast<int32_t>(word[1] << 2)) * 3.6572951981e-10f;  // pi / 2^33
  float sine = math::detail::sin_near_zero(r), cosine = math::detail::cos_near_zero(r);
  // Quarters 1 and 3 exchange the two; the cosine is negative in 1 and 2, the sine in 2 and 3.
  bool exchanged = word[1] & 0x40000000u;
  uint32_t x = std::bit_cast<uint32_t>(exchanged ? sine : cosine);
  uint32_t y = std::bit_cast<uint32_t>(exchanged ? cosine : sine);
  x ^= (word[1] ^ word[1] << 1) & 0x80000000u;
  y ^= word[1] & 0x80000000u;
  return {radius * std::bit_cast<float>(x), radius * std::bit_cast<float>(y)};
}

// log u by 2 artanh(s), s = (m - 1) / (m + 1), u = m 2^e with m in [sqrt(1/2), sqrt(2)).
STRATA_HOST_DEVICE inline double log_of(double u) {
  uint64_t bits = std::bit_cast<uint64_t>(u) - 0x3fe6a09e667f3bcdu;
  double e = static_cast<double>(static_cast<int64_t>(bits) >> 52);
  double m = std::bit_cast<double>((bits & 0x000fffffffffffffu) + 0x3fe6a09e667f3bcdu);
  double s = (m - 1.0) / (m + 1.0), square = s * s, sum = 0;
  for (int k = 23; k >= 3; k -= 2) sum = (sum + 1.0 / k) * square;
  return e * 0.69314718055994530942 + 2.0 * (s + s * sum);
}
STRATA_HOST_DEVICE inline Normals<double> box_muller(const uint32_t* word, double) {
  double u = static_cast<double>((join(word) >> 11) + 1) * 0x1p-53;  // (0, 1]
  double radius = std::sqrt(-2.0 * log_of(u));
  uint64_t turn = join(word + 2);
  double r = static_cast<double>(static_cast<int64_t>(turn << 2)) * 8.5153039502163873e-20;
  double square = r * r, sine = 0, cosine = 0;
  for (int k = 19; k >= 3; k -= 2) sine = -(sine + 1.0) * square / (k * (k - 1));
  for (int k = 20; k >= 2; k -= 2) cosine = -(cosine + 1.0) * square / (k * (k - 1));
  sine = r + r * sine;
  cosine += 1.0;
  uint64_t quarter = turn >> 62;
  double x = quarter & 1u ? sine : cosine, y = quarter & 1u ? cosine : sine;
  return {radius * (quarter == 1 || quarter == 2 ? -x : x), radius * (quarter >= 2 ? -y : y)};
}

// floor(u range) for u = word / 2^64.
STRATA_HOST_DEVICE inline uint64_t scaled(uint64_t word, uint64_t range) {
  __extension__ using Wide = unsigned __int128;
  return static_cast<uint64_t>((static_cast<Wide>(word) * range) >> 64);
}

}  // namespace strata::random
