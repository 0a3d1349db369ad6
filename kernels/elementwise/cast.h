// cast<To>(from): the conversion between element types that every kernel applies. Floats to
// integers go towards zero and saturate, NaN gives 0; to bool is x != 0; integers to narrower
// integers keep the low bits; floats to narrower floats round to nearest even.
#pragma once

#include <limits>

#include "kernels/common/host_device.h"
#include "kernels/common/numeric.h"

namespace strata {

template <class To, class From>
STRATA_HOST_DEVICE inline To cast(From value) {
  using Wide = Compute<From>;
  Wide wide = static_cast<Wide>(value);
  if constexpr (std::is_same_v<To, From>) {
    return value;
  } else if constexpr (std::is_same_v<To, bool>) {
    return wide != Wide(0);
  } else if constexpr (std::is_floating_point_v<Wide> && std::is_integral_v<To>) {
    constexpr To low = std::numeric_limits<To>::min(), high = std::numeric_limits<To>::max();
    if (wide != wide) return To(0);
    if (wide <= static_cast<Wide>(low)) return low;
    if (wide >= static_cast<Wide>(high)) return high;  // 2^63 - 1 becomes 2^63, which is too large
    return static_cast<To>(wide);
  } else {
    return static_cast<To>(static_cast<Compute<To>>(wide));
  }
}

}  // namespace strata
