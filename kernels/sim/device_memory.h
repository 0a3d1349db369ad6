// The simulated device's memory: one reserved region, so that the host can be kept out of it as a
// whole.
#pragma once

#include <cstddef>

namespace strata::sim {

void* allocate_device(size_t bytes);  // aligned to 256; throws std::bad_alloc
void release_device(void* memory) noexcept;
bool is_device_memory(const void* p);
size_t device_bytes_free();

// While one exists, kernels and copies may touch device memory. With config().protect the host
// cannot otherwise: what reads a result before synchronising, or follows a device pointer, stops
// right there.
class DeviceAccess {
 public:
  DeviceAccess();
  ~DeviceAccess();
  DeviceAccess(const DeviceAccess&) = delete;
  DeviceAccess& operator=(const DeviceAccess&) = delete;
};

}  // namespace strata::sim
