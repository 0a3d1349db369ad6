// What is known of a GPU: what a launcher needs to pick a rung, and what a roofline needs. Figures
// are the vendors' data sheets (dense, without sparsity).
#pragma once

#include <cstddef>
#include <string>

namespace strata::gpu {

struct DeviceInfo {
  std::string name;
  int arch = 0;  // 80: compute capability 8.0
  int multiprocessors = 0;
  size_t shared_per_block = 0;  // bytes a block may ask for (opt-in)
  size_t l2 = 0;                // bytes
  double memory_bandwidth = 0;  // bytes a second
  double fp32 = 0;              // operations a second, outside tensor cores
  double tensor_bf16 = 0;       // operations a second
  double tensor_tf32 = 0;
  double tensor_fp8 = 0;  // 0: none
};

inline DeviceInfo a100() {
  return {"A100-SXM4-80GB", 80, 108, 163 * 1024, 40u << 20, 2.039e12, 19.5e12, 312e12, 156e12, 0};
}
inline DeviceInfo rtx4090() {
  return {"RTX 4090", 89,      128,      99 * 1024, 72u << 20,
          1.008e12,   82.6e12, 165.2e12, 82.6e12,   330.3e12};
}
inline DeviceInfo h100() {
  return {"H100-SXM5-80GB", 90,    132,    227 * 1024, 50u << 20,
          3.35e12,          67e12, 989e12, 494.5e12,   1979e12};
}
inline DeviceInfo h200() {
  DeviceInfo info = h100();
  info.name = "H200-SXM5-141GB";
  info.memory_bandwidth = 4.8e12;
  return info;
}

}  // namespace strata::gpu
