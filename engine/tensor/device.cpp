#include "engine/tensor/device.h"

namespace strata {

const char* name_of(Device device) { return device == Device::cpu ? "cpu" : "gpu"; }

Device device_from(const std::string& name) {
  if (name == "cpu") return Device::cpu;
  if (name == "gpu") return Device::gpu;
  throw Error(fmt::format("device '{}' is unknown; there are: cpu, gpu", name));
}

bool is_available(Device device) { return device == Device::cpu; }

}  // namespace strata
