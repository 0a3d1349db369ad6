// Division of n < 2^31 by a number known before the launch, as a multiplication: a 32-bit division
// is some 20 instructions. Granlund and Montgomery 1994, "Division by invariant integers using
// multiplication".
#pragma once

#include <bit>

#include "kernels/gpu/primitive.h"

namespace strata::gpu {

struct Divisor {
  uint32_t value = 1, multiplier = 1, shift = 0;

  Divisor() = default;
  explicit Divisor(uint32_t d) : value(d), shift(static_cast<uint32_t>(std::bit_width(d - 1))) {
    multiplier =
        static_cast<uint32_t>(((uint64_t{1} << 32) * ((uint64_t{1} << shift) - d)) / d + 1);
  }
  DEVICE uint32_t divide(uint32_t n) const { return (__umulhi(n, multiplier) + n) >> shift; }
};

}  // namespace strata::gpu
