// Device memory of probes: copied in and out as vectors.
#pragma once

#include <cstring>
#include <memory>
#include <random>
#include <vector>

#include "kernels/gpu/runtime.h"
#include "tests/kernels/conformance/probes.h"

namespace strata::test {

template <class T>
class OnDevice {
 public:
  explicit OnDevice(const std::vector<T>& values)
      : count_(values.size()), memory_(gpu::allocate(count_ * sizeof(T)), gpu::release) {
    gpu::copy_to_device(memory_.get(), values.data(), count_ * sizeof(T), nullptr);
    gpu::synchronize(nullptr);
  }
  explicit OnDevice(size_t count) : OnDevice(std::vector<T>(count)) {}
  T* data() const { return static_cast<T*>(memory_.get()); }
  // Waits, and copies the bytes back.
  Bytes bytes() const {
    gpu::synchronize(nullptr);
    Bytes result(count_ * sizeof(T));
    gpu::copy_to_host(result.data(), memory_.get(), result.size(), nullptr);
    gpu::synchronize(nullptr);
    return result;
  }

 private:
  size_t count_;
  std::shared_ptr<void> memory_;
};

// Fixed random bytes; the generator's numbers are the same everywhere.
inline Bytes random_bytes(size_t count, unsigned seed) {
  std::mt19937 generator(seed);
  Bytes bytes(count);
  for (unsigned char& byte : bytes) byte = static_cast<unsigned char>(generator() >> 24);
  return bytes;
}
// Multiples of 2^-12 in [-1, 1).
inline std::vector<float> random_floats(size_t count, unsigned seed) {
  std::mt19937 generator(seed);
  std::vector<float> values(count);
  for (float& value : values)
    value = static_cast<float>(static_cast<int>(generator() >> 19) - 4096) / 4096;
  return values;
}

}  // namespace strata::test
