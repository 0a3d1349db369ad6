// Whether f32 products may round their factors to tf32 (10 bits of mantissa) to use tensor cores.
// Off when the program starts: f32 means f32. Launchers read it at each call.
#pragma once

#include <atomic>

namespace strata::gpu {

namespace detail {
inline std::atomic<bool> tf32 = false;
}
inline bool tf32_allowed() { return detail::tf32; }
inline void allow_tf32(bool allowed) { detail::tf32 = allowed; }

}  // namespace strata::gpu
