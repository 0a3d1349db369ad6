// Where a tensor lives. The gpu is a real one in a build with CUDA and the simulator (kernels/sim)
// in any other: slow, exact in structure, and there on every machine.
#pragma once

#include <cstdint>
#include <string>

#include "engine/error.h"
#include "kernels/gpu/runtime.h"

namespace strata {

enum class Device : uint8_t { cpu, gpu };

const char* name_of(Device device);
// "cpu" or "gpu"; anything else is an error that lists them.
Device device_from(const std::string& name);
// False for the gpu in a build with CUDA on a machine without one.
bool is_available(Device device);
// Waits until the device has done what it was asked to do; throws what went wrong there.
void synchronize(Device device);
// Whether launches are being captured into a graph (gpu::capture): then nothing may wait for them.
bool capturing(Device device);
// Copies between the host and a device, or within one; the host waits where it takes part.
void copy_bytes(void* to, Device to_device, const void* from, Device from_device, size_t bytes);

// The one place where an op meets a device: calls the kernel of one or the other, which take the
// same arguments. What the gpu refuses at launch is said with the op and the caller's line.
template <class Cpu, class Gpu, class... Args>
decltype(auto) on(Device device, const char* op, Caller at, Cpu&& cpu, Gpu&& gpu, Args&&... args) {
  if (device == Device::cpu) return cpu(std::forward<Args>(args)...);
  try {
    return gpu(std::forward<Args>(args)...);
  } catch (const gpu::Error& error) {
    fail(op, at, "{}", error.what());
  }
}

}  // namespace strata
