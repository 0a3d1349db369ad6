// The two 8-bit floats of tensor cores: e4m3 (4 exponent bits, 3 mantissa bits, at most 448, no
// infinity) and e5m2 (5 and 2, at most 57344, with infinities). Storage types, as bf16 is:
// arithmetic is in f32. Conversion rounds to nearest even and saturates at the largest finite
// value, as cvt.satfinite does. Source: Micikevicius et al., "FP8 Formats for Deep Learning", arXiv
// 2209.05433.
#pragma once

#include <bit>
#include <cstdint>

namespace strata {

template <int ExponentBits, int MantissaBits>
struct Fp8 {
  static constexpr int bias = (1 << (ExponentBits - 1)) - 1;
  static constexpr bool has_infinity = ExponentBits == 5;
  static constexpr float largest = has_infinity ? 57344.0f : 448.0f;
  static constexpr uint32_t largest_bits = has_infinity ? 0x7bu : 0x7eu;

  uint8_t bits;
  Fp8() = default;
  constexpr Fp8(float value) : bits(0) {
    const uint32_t u = std::bit_cast<uint32_t>(value), sign = u >> 24 & 0x80u,
                   magnitude = u & 0x7fffffffu;
    if (magnitude > 0x7f800000u) {  // NaN
      bits = static_cast<uint8_t>(sign | 0x7fu);
      return;
    }
    constexpr int dropped = 23 - MantissaBits;
    constexpr uint32_t smallest_normal = static_cast<uint32_t>(128 - bias) << 23;
    uint32_t rounded;
    if (magnitude < smallest_normal) {
      // Subnormal: let the f32 adder round to multiples of the smallest value.
      constexpr float anchor =
          std::bit_cast<float>(static_cast<uint32_t>(128 - bias + dropped) << 23);
      rounded = std::bit_cast<uint32_t>(std::bit_cast<float>(magnitude) + anchor) -
                std::bit_cast<uint32_t>(anchor);
    } else {
      const uint32_t even = magnitude + ((1u << (dropped - 1)) - 1) + (magnitude >> dropped & 1u);
      rounded = (even >> dropped) - (static_cast<uint32_t>(127 - bias) << MantissaBits);
    }
    bits = static_cast<uint8_t>(sign | (rounded > largest_bits ? largest_bits : rounded));
  }
  constexpr operator float() const {
    const uint32_t sign = static_cast<uint32_t>(bits & 0x80u) << 24;
    const uint32_t exponent = bits >> MantissaBits & ((1u << ExponentBits) - 1),
                   mantissa = bits & ((1u << MantissaBits) - 1);
    if (has_infinity ? exponent == (1u << ExponentBits) - 1 : (bits & 0x7fu) == 0x7fu)
      return std::bit_cast<float>(sign | 0x7f800000u |
                                  (has_infinity && mantissa == 0 ? 0 : 0x00400000u));
    if (exponent != 0)
      return std::bit_cast<float>(sign | (exponent + static_cast<uint32_t>(127 - bias)) << 23 |
                                  mantissa << (23 - MantissaBits));
    constexpr float smallest =
        std::bit_cast<float>(static_cast<uint32_t>(128 - bias - MantissaBits) << 23);
    const float magnitude = static_cast<float>(mantissa) * smallest;
    return sign ? -magnitude : magnitude;
  }
};

using fp8_e4m3 = Fp8<4, 3>;
using fp8_e5m2 = Fp8<5, 2>;

}  // namespace strata
