// Where a tensor lives. Both devices are always known by name; a build that has no kernels for the
// gpu says so when asked for it.
#pragma once

#include <cstdint>
#include <string>

#include "engine/error.h"

namespace strata {

enum class Device : uint8_t { cpu, gpu };

const char* name_of(Device device);
// "cpu" or "gpu"; anything else is an error that lists them.
Device device_from(const std::string& name);
bool is_available(Device device);

// The one place where an op meets a device: calls the CPU kernel, or says that the gpu has none.
template <class Kernel, class... Args>
decltype(auto) on(Device device, const char* op, Caller at, Kernel&& cpu, Args&&... args) {
  if (device == Device::gpu) {
    fail(op, at,
         "this build has no gpu kernel for it; move the operands with to(Device::cpu), or run with "
         "--device cpu");
  }
  return cpu(std::forward<Args>(args)...);
}

}  // namespace strata
