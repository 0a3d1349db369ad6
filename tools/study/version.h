#pragma once

namespace strata {
inline constexpr const char* version = "0.1.0";
}
