// The version of the project, as reports and checkpoints show it.
#pragma once

namespace strata {
inline constexpr const char* version = "0.1.0";
}
