// Where a kernel stands on the roofline of a GPU: how many operations a byte of device memory it
// does, and what the device could reach at that intensity. Williams, Waterman and Patterson 2009,
// "Roofline".
#pragma once

#include <vector>

#include "kernels/common/numeric.h"
#include "kernels/gpu/device.h"

namespace strata::xray {

struct Roofline {
  gpu::DeviceInfo device;
  double peak = 0;        // operations a second of the units that the kernel uses
  double intensity = 0;   // operations a byte
  double attainable = 0;  // min(peak, intensity x bandwidth)
  bool memory_bound() const { return attainable < peak; }
};

// The units: tensor cores when the kernel used them, for operands of this type.
double peak_of(const gpu::DeviceInfo& device, DType dtype, bool tensor_cores);
Roofline place(const gpu::DeviceInfo& device, DType dtype, bool tensor_cores, double flops,
               double bytes);
// A100, RTX 4090, H100, H200.
std::vector<gpu::DeviceInfo> known_devices();
// By name, whole or in part ("h100"); throws std::runtime_error with those that are known.
gpu::DeviceInfo device_named(const std::string& name);

}  // namespace strata::xray
