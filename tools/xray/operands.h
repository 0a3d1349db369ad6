// Operands of workloads: device memory filled with random numbers.
#pragma once

#include <memory>
#include <random>
#include <vector>

#include "kernels/gpu/runtime.h"
#include "kernels/random/random.h"
#include "tools/xray/catalogue.h"

namespace strata::xray {

inline double bytes_of(int64_t elements, DType dtype) {
  return static_cast<double>(elements) * static_cast<double>(size_of(dtype));
}

// Keeps what it makes alive in workload.memory.
class Operands {
 public:
  explicit Operands(Workload& workload) : workload_(workload) {}

  void* empty(int64_t elements, DType dtype) {
    void* memory = gpu::allocate(static_cast<size_t>(elements) * size_of(dtype));
    workload_.memory.emplace_back(memory, [](void* p) { gpu::release(p); });
    return memory;
  }
  // Uniform in [-1, 1): zeros and patterns would flatter the power budget, and so the clock.
  void* random(int64_t elements, DType dtype) {
    void* memory = empty(elements, dtype);
    gpu::uniform({memory, elements, dtype, seed, drawn_}, -1, 1);
    gpu::synchronize(gpu::current_stream());
    drawn_ += static_cast<uint64_t>(elements);  // no two arrays share a part of the stream
    return memory;
  }
  // Whole numbers in [0, limit).
  void* indices(int64_t elements, int64_t limit) {
    std::uniform_int_distribution<int64_t> uniform(0, limit - 1);
    std::vector<int64_t> values(static_cast<size_t>(elements));
    for (int64_t& value : values) value = uniform(generator_);
    return copied(values);
  }
  void* copied(const std::vector<int64_t>& values) {
    void* memory = empty(static_cast<int64_t>(values.size()), DType::i64);
    gpu::copy_to_device(memory, values.data(), values.size() * sizeof(int64_t),
                        gpu::current_stream());
    gpu::synchronize(gpu::current_stream());
    return memory;
  }

 private:
  Workload& workload_;
  static constexpr uint64_t seed = 20061;
  uint64_t drawn_ = 0;
  std::mt19937 generator_{seed};
};

}  // namespace strata::xray
