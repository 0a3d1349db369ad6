#include "tools/xray/roofline.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

namespace strata::xray {

double peak_of(const gpu::DeviceInfo& device, DType dtype, bool tensor_cores) {
  if (!tensor_cores) return device.fp32;
  return dtype == DType::f32 ? device.tensor_tf32 : device.tensor_bf16;
}

Roofline place(const gpu::DeviceInfo& device, DType dtype, bool tensor_cores, double flops,
               double bytes) {
  Roofline roofline{device, peak_of(device, dtype, tensor_cores), 0, 0};
  if (bytes > 0) roofline.intensity = flops / bytes;
  roofline.attainable = std::min(roofline.peak, roofline.intensity * device.memory_bandwidth);
  return roofline;
}

std::vector<gpu::DeviceInfo> known_devices() {
  return {gpu::a100(), gpu::rtx4090(), gpu::h100(), gpu::h200()};
}

gpu::DeviceInfo device_named(const std::string& name) {
  const auto plain = [](std::string text) {
    std::erase_if(text, [](char c) { return c == ' ' || c == '-' || c == '_'; });
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return std::tolower(c); });
    return text;
  };
  std::string names;
  for (const gpu::DeviceInfo& device : known_devices()) {
    if (!name.empty() && plain(device.name).find(plain(name)) != std::string::npos) return device;
    names += (names.empty() ? "" : ", ") + device.name;
  }
  throw std::runtime_error(fmt::format("the device '{}' is unknown; there are: {}", name, names));
}

}  // namespace strata::xray
