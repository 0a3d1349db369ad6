// The address sanitizer's hooks, where it is on: memory that nobody asked for is poisoned, and
// switching stacks is announced (fiber.cpp).
#pragma once

#include <cstddef>

#if defined(__SANITIZE_ADDRESS__)
#define STRATA_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define STRATA_ASAN 1
#endif
#endif
#ifdef STRATA_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace strata::sim {

// Instrumented frames are several times larger.
#ifdef STRATA_ASAN
inline constexpr size_t stack_factor = 4;
#else
inline constexpr size_t stack_factor = 1;
#endif

inline void poison([[maybe_unused]] const void* p, [[maybe_unused]] size_t bytes) {
#ifdef STRATA_ASAN
  __asan_poison_memory_region(p, bytes);
#endif
}
inline void unpoison([[maybe_unused]] const void* p, [[maybe_unused]] size_t bytes) {
#ifdef STRATA_ASAN
  __asan_unpoison_memory_region(p, bytes);
#endif
}

}  // namespace strata::sim
