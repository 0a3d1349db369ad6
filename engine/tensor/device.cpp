#include "engine/tensor/device.h"

#include <cstring>

namespace strata {

const char* name_of(Device device) { return device == Device::cpu ? "cpu" : "gpu"; }

Device device_from(const std::string& name) {
  if (name == "cpu") return Device::cpu;
  if (name == "gpu") return Device::gpu;
  throw Error(fmt::format("device '{}' is unknown; there are: cpu, gpu", name));
}

bool is_available(Device device) { return device == Device::cpu || gpu::available(); }

void synchronize(Device device) {
  if (device == Device::gpu) gpu::synchronize(gpu::current_stream());
}

bool capturing(Device device) {
  return device == Device::gpu && gpu::is_capturing(gpu::current_stream());
}

void copy_bytes(void* to, Device to_device, const void* from, Device from_device, size_t bytes) {
  if (bytes == 0) return;
  gpu::Stream stream = gpu::current_stream();
  if (to_device == Device::cpu && from_device == Device::cpu) {
    std::memcpy(to, from, bytes);
  } else if (to_device == Device::cpu) {
    gpu::copy_to_host(to, from, bytes, stream);
    gpu::synchronize(stream);
  } else if (from_device == Device::cpu) {
    gpu::copy_to_device(to, from, bytes, stream);
    gpu::synchronize(stream);
  } else {
    gpu::copy_on_device(to, from, bytes, stream);
  }
}

}  // namespace strata
